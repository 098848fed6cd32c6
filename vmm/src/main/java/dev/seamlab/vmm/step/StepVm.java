// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm.step;

import dev.seamlab.guest.Workload;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.machine.Gpa;
import dev.seamlab.machine.sched.Cells;
import dev.seamlab.machine.sched.WaitQueue;
import dev.seamlab.vmm.Outcome;
import dev.seamlab.vmm.Refusal;
import dev.seamlab.vmm.VcpuExit;
import dev.seamlab.vmm.step.StepVmView.Progress;
import dev.seamlab.vmm.step.StepVmView.Region;
import dev.seamlab.vmm.step.StepVmView.TdxCapabilities;
import dev.seamlab.vmm.step.StepVmView.VcpuView;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * One virtual machine, ioctl by ioctl. Any thread; KVM's own locks order the calls. A call that is
 * under way keeps the machine from being closed, and closing gets it out.
 */
public abstract sealed class StepVm permits TdxStepVm, OrdinaryStepVm {
    private static final int INSIDE = 16;

    private final String id;
    private final Map<Integer, Region> regions = new ConcurrentSkipListMap<>();
    private final WaitQueue allOut = new WaitQueue();
    private final int[] words = new int[32];
    private volatile boolean closed;

    StepVm(String id) {
        this.id = id;
    }

    /** Its name. */
    public String id() {
        return id;
    }

    /** As it is now. */
    public abstract StepVmView view();

    /** KVM_TDX_CAPABILITIES, with room for so many CPUID entries. */
    public Outcome<TdxCapabilities> capabilities(int room) {
        return notForOrdinary("KVM_TDX_CAPABILITIES");
    }

    /** KVM_SET_USER_MEMORY_REGION2; size 0 deletes the slot. */
    public abstract Outcome<StepVm> setMemoryRegion(Region region);

    /** KVM_SET_MEMORY_ATTRIBUTES. */
    public abstract Outcome<StepVm> setMemoryAttributes(
            @Gpa long gpa, long size, boolean isPrivate);

    /** KVM_TDX_INIT_VM. */
    public Outcome<StepVm> initVm(TdxInit init) {
        return notForOrdinary("KVM_TDX_INIT_VM");
    }

    /** KVM_CREATE_VCPU. */
    public abstract Outcome<VcpuView> createVcpu();

    /** KVM_TDX_INIT_VCPU. */
    public Outcome<VcpuView> initVcpu(int vcpu, long initialRcx) {
        return notForOrdinary("KVM_TDX_INIT_VCPU");
    }

    /** KVM_TDX_INIT_MEM_REGION with contents; what is missing of them is zeroes. */
    public Outcome<Progress> initMemRegion(
            int vcpu, @Gpa long gpa, byte[] source, long pages, boolean measure, Signal signal) {
        return notForOrdinary("KVM_TDX_INIT_MEM_REGION");
    }

    /** KVM_TDX_FINALIZE_VM. */
    public Outcome<StepVm> finalizeVm() {
        return notForOrdinary("KVM_TDX_FINALIZE_VM");
    }

    /** KVM_TDX_GET_CPUID, with room for so many entries. */
    public Outcome<List<StepVmView.Cpuid>> cpuid(int vcpu, int room) {
        return notForOrdinary("KVM_TDX_GET_CPUID");
    }

    /** KVM_TDX_TERMINATE_VM. */
    public Outcome<StepVm> terminate() {
        return notForOrdinary("KVM_TDX_TERMINATE_VM");
    }

    /** KVM_PRE_FAULT_MEMORY. */
    public abstract Outcome<Progress> preFault(int vcpu, @Gpa long gpa, long size, Signal signal);

    /**
     * KVM_RUN up to the next exit to user space, HLT included.
     *
     * @param piece what the guest executes; null goes on with what is left of the last piece
     */
    public abstract Outcome<VcpuExit> run(int vcpu, @Nullable Workload piece, Signal signal);

    /** Gets every vCPU out of its guest. */
    abstract void kickAll();

    /** Gives everything back; nobody is inside any more. */
    abstract void destroy();

    // ------------------------------------------------------------------ what both have in common

    Map<Integer, Region> regions() {
        return regions;
    }

    boolean isClosed() {
        return closed;
    }

    /** Does something that keeps the machine from being closed meanwhile. */
    <T> Outcome<T> inside(Supplier<Outcome<T>> call) {
        Cells.getAndAdd(words, INSIDE, 1);
        try {
            return closed ? Outcome.refused(new Refusal.NoVm(id)) : call.get();
        } finally {
            Cells.getAndAdd(words, INSIDE, -1);
            allOut.wakeAll();
        }
    }

    /** Waits until nobody is inside, and gives everything back. Once. */
    void close() {
        closed = true;
        kickAll();
        allOut.await(() -> Cells.acquire(words, INSIDE) == 0);
        destroy();
    }

    /** A vCPU, and what stands between two of its KVM_RUNs: of whoever is on it. */
    abstract static class Seat {
        final AtomicBoolean busy = new AtomicBoolean();
    }

    /**
     * One call at a time on a vCPU: where the kernel would let the second one wait for the vCPU's
     * mutex, it is refused.
     *
     * @param seat null where there is no such vCPU
     */
    <S extends Seat, T> Outcome<T> on(int index, @Nullable S seat, Function<S, Outcome<T>> call) {
        if (seat == null) {
            return noVcpu(index);
        }
        if (!seat.busy.compareAndSet(false, true)) {
            return Outcome.refused(new Refusal.StepVcpuBusy(id, index));
        }
        try {
            return call.apply(seat);
        } finally {
            seat.busy.set(false);
        }
    }

    static <T> Outcome<T> failed(String ioctl, int errno) {
        return failed(ioctl, Errno.name(errno), 0, Map.of());
    }

    static <T> Outcome<T> failed(
            String ioctl, String errno, long hwError, Map<String, String> more) {
        return Outcome.refused(
                new Refusal.IoctlFailed(ioctl, errno, hwError, more, Optional.empty()));
    }

    private static <T> Outcome<T> notForOrdinary(String ioctl) {
        return failed(ioctl, "ENOTTY", 0, Map.of());
    }

    <T> Outcome<T> noVcpu(int vcpu) {
        return Outcome.refused(new Refusal.NoStepVcpu(id, vcpu));
    }
}
