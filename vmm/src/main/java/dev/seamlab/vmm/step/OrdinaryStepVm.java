// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm.step;

import dev.seamlab.guest.GuestMemory.Range;
import dev.seamlab.guest.GuestProgram;
import dev.seamlab.guest.Op;
import dev.seamlab.guest.Workload;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.kvm.OrdinaryVm;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Gpa;
import dev.seamlab.vmm.Outcome;
import dev.seamlab.vmm.VcpuExit;
import dev.seamlab.vmm.step.StepVmView.Progress;
import dev.seamlab.vmm.step.StepVmView.Region;
import dev.seamlab.vmm.step.StepVmView.State;
import dev.seamlab.vmm.step.StepVmView.VcpuView;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * KVM_X86_DEFAULT_VM. Its guests do nothing but touch memory, which is all that is modelled of
 * them; slots can be added and not taken away.
 */
final class OrdinaryStepVm extends StepVm {
    private final OrdinaryVm vm;
    private final List<Seat> vcpus = new ArrayList<>(); // guarded by this

    /** A vCPU, and what its guest has still to touch. */
    private static final class Seat extends StepVm.Seat {
        final OrdinaryVm.Vcpu vcpu;
        final Deque<Range> left = new ArrayDeque<>();
        boolean bound;

        Seat(OrdinaryVm.Vcpu vcpu) {
            this.vcpu = vcpu;
        }
    }

    OrdinaryStepVm(String id, OrdinaryVm vm) {
        super(id);
        this.vm = vm;
    }

    OrdinaryVm vm() {
        return vm;
    }

    @Override
    public synchronized StepVmView view() {
        return new StepVmView(
                id(), false, State.ORDINARY, vcpus.size(), 0, List.copyOf(regions().values()), 0);
    }

    @Override
    public Outcome<StepVm> setMemoryRegion(Region region) {
        String ioctl = "KVM_SET_USER_MEMORY_REGION2";
        return inside(() -> {
            synchronized (this) {
                if (region.size() == 0 || regions().containsKey(region.slot())) {
                    return failed(ioctl, Errno.EINVAL);
                }
                int result = vm.addMemslot(region.gpa(), region.size());
                if (result != Errno.OK) {
                    return failed(ioctl, result);
                }
                regions().put(region.slot(), region);
                return Outcome.done(this);
            }
        });
    }

    /** Such a machine has no private memory, so "shared" is all there is. */
    @Override
    public Outcome<StepVm> setMemoryAttributes(@Gpa long gpa, long size, boolean isPrivate) {
        boolean sound =
                !isPrivate
                        && size > 0
                        && gpa >= 0
                        && Addresses.isAligned(gpa | size, Addresses.PAGE_SIZE);
        return sound ? Outcome.done(this) : failed("KVM_SET_MEMORY_ATTRIBUTES", Errno.EINVAL);
    }

    @Override
    public Outcome<VcpuView> createVcpu() {
        return inside(() -> {
            synchronized (this) {
                OrdinaryVm.Vcpu vcpu = vm.createVcpu();
                if (vcpu == null) {
                    return failed("KVM_CREATE_VCPU", Errno.EINVAL);
                }
                vcpus.add(new Seat(vcpu));
                return Outcome.done(new VcpuView(id(), vcpus.size() - 1, true, -1));
            }
        });
    }

    @Override
    public Outcome<Progress> preFault(int index, @Gpa long gpa, long size, Signal signal) {
        return inside(() -> on(index, seat(index), seat -> preFault(seat, gpa, size, signal)));
    }

    private Outcome<Progress> preFault(Seat seat, @Gpa long gpa, long size, Signal signal) {
        String ioctl = "KVM_PRE_FAULT_MEMORY";
        if (!Addresses.isAligned(gpa | size, Addresses.PAGE_SIZE) || gpa < 0 || gpa + size < gpa) {
            return failed(ioctl, Errno.EINVAL);
        }
        long end = gpa + size;
        long at = gpa;
        int result = Errno.OK;
        while (at < end && result == Errno.OK) {
            result = mustLeave(signal) ? Errno.EINTR : seat.vcpu.touch(at);
            if (result == Errno.OK) {
                at += Addresses.PAGE_SIZE;
            }
        }
        return at > gpa
                ? Outcome.done(new Progress(at, end - at))
                : failed(ioctl, result == Errno.EFAULT ? Errno.ENOENT : result);
    }

    @Override
    public Outcome<VcpuExit> run(int index, @Nullable Workload piece, Signal signal) {
        return inside(() -> on(index, seat(index), seat -> run(seat, piece, signal)));
    }

    private Outcome<VcpuExit> run(Seat seat, @Nullable Workload piece, Signal signal) {
        if ((piece != null && !load(seat, piece)) || !seat.bound) {
            return failed("KVM_RUN", Errno.EINVAL);
        }
        while (!seat.left.isEmpty()) {
            Range range = seat.left.remove();
            for (long at = range.start(); at < range.end(); at += Addresses.PAGE_SIZE) {
                int result = mustLeave(signal) ? Errno.EINTR : seat.vcpu.touch(at);
                if (result != Errno.OK) {
                    seat.left.addFirst(new Range(at, range.end())); // the next KVM_RUN tries again
                    return Outcome.done(
                            switch (result) {
                                case Errno.EINTR -> new VcpuExit.Interrupted();
                                case Errno.EFAULT -> new VcpuExit.MemoryFault(at, false);
                                default ->
                                        new VcpuExit.Failed(Errno.name(result), "the fault failed");
                            });
                }
            }
        }
        return Outcome.done(new VcpuExit.Halted());
    }

    /** Gives the guest something to do, if it can. */
    private static boolean load(Seat seat, Workload piece) {
        if (!(piece instanceof GuestProgram program)
                || !program.ops().stream().allMatch(Op.Touch.class::isInstance)) {
            return false;
        }
        seat.left.clear();
        for (Op op : program.ops()) {
            if (op instanceof Op.Touch(var range, var _, var _)) {
                seat.left.add(range);
            }
        }
        seat.bound = true;
        return true;
    }

    private boolean mustLeave(Signal signal) {
        return isClosed() || signal.isPending();
    }

    private synchronized @Nullable Seat seat(int index) {
        return index < vcpus.size() ? vcpus.get(index) : null;
    }

    @Override
    void kickAll() {
        // Its vCPUs look after each page whether it is closed.
    }

    @Override
    void destroy() {
        vm.destroy();
    }
}
