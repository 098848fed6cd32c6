// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm.step;

import dev.seamlab.guest.GuestMemory;
import dev.seamlab.guest.ProgramRunner;
import dev.seamlab.guest.Workload;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.kvm.Capabilities;
import dev.seamlab.kvm.CpuidEntry;
import dev.seamlab.kvm.CpuidList;
import dev.seamlab.kvm.GuestMemfd;
import dev.seamlab.kvm.InitVm;
import dev.seamlab.kvm.KvmExit;
import dev.seamlab.kvm.KvmStats.Counter;
import dev.seamlab.kvm.KvmTdx;
import dev.seamlab.kvm.KvmVcpu;
import dev.seamlab.kvm.MemRegion;
import dev.seamlab.kvm.ModuleAnswer;
import dev.seamlab.kvm.PreFault;
import dev.seamlab.kvm.TdxCmd;
import dev.seamlab.kvm.TdxStep;
import dev.seamlab.kvm.UserMemoryRegion;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Gpa;
import dev.seamlab.vmm.Outcome;
import dev.seamlab.vmm.Refusal;
import dev.seamlab.vmm.VcpuExit;
import dev.seamlab.vmm.step.StepVmView.Cpuid;
import dev.seamlab.vmm.step.StepVmView.Progress;
import dev.seamlab.vmm.step.StepVmView.Region;
import dev.seamlab.vmm.step.StepVmView.State;
import dev.seamlab.vmm.step.StepVmView.TdxCapabilities;
import dev.seamlab.vmm.step.StepVmView.VcpuView;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** KVM_X86_TDX_VM. */
final class TdxStepVm extends StepVm {
    private final KvmTdx vm;
    private final List<Seat> vcpus = new CopyOnWriteArrayList<>(); // grows under this
    private final Map<Integer, GuestMemfd> files = new ConcurrentHashMap<>();
    private volatile boolean terminated;

    /** A page that the guest has for operands: the first one that was added. */
    private volatile long scratch;

    private static final class Seat extends StepVm.Seat {
        final KvmVcpu vcpu;
        boolean conversionPending; // of who made it busy
        boolean bound; // likewise

        Seat(KvmVcpu vcpu) {
            this.vcpu = vcpu;
        }
    }

    TdxStepVm(String id, KvmTdx vm) {
        super(id);
        this.vm = vm;
    }

    KvmTdx vm() {
        return vm;
    }

    @Override
    public StepVmView view() {
        return new StepVmView(
                id(),
                true,
                state(),
                vcpus.size(),
                vm.hkid(),
                List.copyOf(regions().values()),
                vm.stats().get(Counter.PRIVATE_PAGES));
    }

    private State state() {
        if (terminated) {
            return State.TERMINATED;
        }
        if (vm.isDead()) {
            return State.DEAD;
        }
        if (vm.isFinalised()) {
            return State.RUNNABLE;
        }
        return vm.hkid() != 0 ? State.INITIALIZED : State.UNINITIALIZED;
    }

    @Override
    public Outcome<TdxCapabilities> capabilities(int room) {
        return ioctl(() -> {
            Capabilities out = new Capabilities(room);
            TdxCmd cmd = TdxCmd.of(TdxStep.CAPABILITIES, out);
            int result = vm.memoryEncryptOp(cmd);
            return result == Errno.OK
                    ? Outcome.done(
                            new TdxCapabilities(
                                    out.attributes(),
                                    out.xfam(),
                                    words(out.kernelTdvmcalls()),
                                    words(out.userTdvmcalls()),
                                    views(out.cpuid().entries())))
                    : failed("KVM_TDX_CAPABILITIES", result, cmd);
        });
    }

    private static List<Long> words(Capabilities.TdvmcallInfo info) {
        return List.of(info.r11(), info.r12());
    }

    @Override
    public Outcome<StepVm> setMemoryRegion(Region region) {
        String ioctl = "KVM_SET_USER_MEMORY_REGION2";
        return ioctl(() -> {
            synchronized (files) {
                if (region.size() == 0) {
                    int result = vm.setUserMemoryRegion(UserMemoryRegion.delete(region.slot()));
                    if (result != Errno.OK) {
                        return failed(ioctl, result);
                    }
                    regions().remove(region.slot());
                    GuestMemfd file = files.remove(region.slot());
                    if (file != null) {
                        vm.closeGuestMemfd(file);
                    }
                    return Outcome.done(this);
                }
                GuestMemfd file = vm.createGuestMemfd(region.size());
                if (file == null) {
                    return failed("KVM_CREATE_GUEST_MEMFD", Errno.EINVAL);
                }
                int result =
                        vm.setUserMemoryRegion(
                                new UserMemoryRegion(
                                        region.slot(),
                                        UserMemoryRegion.GUEST_MEMFD,
                                        region.gpa(),
                                        region.size(),
                                        region.gpa(),
                                        file,
                                        0));
                if (result != Errno.OK) {
                    vm.closeGuestMemfd(file);
                    return failed(ioctl, result);
                }
                files.put(region.slot(), file);
                regions().put(region.slot(), region);
                return Outcome.done(this);
            }
        });
    }

    @Override
    public Outcome<StepVm> setMemoryAttributes(@Gpa long gpa, long size, boolean isPrivate) {
        return ioctl(() ->
                done("KVM_SET_MEMORY_ATTRIBUTES", vm.setMemoryAttributes(gpa, size, isPrivate)));
    }

    @Override
    public Outcome<StepVm> initVm(TdxInit init) {
        return ioctl(() -> {
            if (init.maxVcpus() > 0) {
                int result = vm.limitVcpus(init.maxVcpus());
                if (result != Errno.OK) {
                    return failed("KVM_ENABLE_CAP(KVM_CAP_MAX_VCPUS)", result);
                }
            }
            List<CpuidEntry> cpuid =
                    init.cpuid().stream()
                            .map(c ->
                                    new CpuidEntry(
                                            c.function(),
                                            c.index(),
                                            c.isIndexed(),
                                            c.eax(),
                                            c.ebx(),
                                            c.ecx(),
                                            c.edx()))
                            .toList();
            InitVm data =
                    new InitVm(init.attributes(), init.xfam(), cpuid)
                            .identities(init.mrConfigId(), init.mrOwner(), init.mrOwnerConfig());
            TdxCmd cmd =
                    new TdxCmd(TdxStep.INIT_VM.id(), init.flags(), data).hwError(init.hwError());
            return done("KVM_TDX_INIT_VM", vm.memoryEncryptOp(cmd), cmd);
        });
    }

    @Override
    public Outcome<VcpuView> createVcpu() {
        return ioctl(() -> {
            synchronized (this) {
                boolean built = vm.hkid() == 0 || vm.isFinalised() || vm.isDead();
                KvmVcpu vcpu = vm.createVcpu();
                if (vcpu == null) {
                    return failed("KVM_CREATE_VCPU", built ? Errno.EIO : Errno.EINVAL);
                }
                vcpus.add(new Seat(vcpu));
                return Outcome.done(view(vcpu));
            }
        });
    }

    @Override
    public Outcome<VcpuView> initVcpu(int index, long initialRcx) {
        return ioctl(() -> {
            Seat seat = seat(index);
            if (seat == null) {
                return noVcpu(index);
            }
            TdxCmd cmd = TdxCmd.of(TdxStep.INIT_VCPU, initialRcx);
            int result = seat.vcpu.memoryEncryptOp(cmd);
            return result == Errno.OK
                    ? Outcome.done(view(seat.vcpu))
                    : failed("KVM_TDX_INIT_VCPU", result, cmd);
        });
    }

    @Override
    public Outcome<Progress> initMemRegion(
            int index, @Gpa long gpa, byte[] source, long pages, boolean measure, Signal signal) {
        return withVcpu(
                index,
                signal,
                seat -> {
                    MemRegion region =
                            new MemRegion(
                                    (address, into) -> copy(source, address, into),
                                    Addresses.PAGE_SIZE,
                                    gpa,
                                    pages);
                    TdxCmd cmd =
                            new TdxCmd(
                                    TdxStep.INIT_MEM_REGION.id(),
                                    measure ? TdxCmd.MEASURE_MEMORY_REGION : 0,
                                    region);
                    int result = seat.vcpu.memoryEncryptOp(cmd);
                    if (region.pages() < pages && scratch == 0) {
                        scratch = gpa;
                    }
                    return result == Errno.OK
                            ? Outcome.done(new Progress(region.gpa(), region.pages()))
                            : failed(
                                    "KVM_TDX_INIT_MEM_REGION",
                                    Errno.name(result),
                                    cmd.hwError(),
                                    Map.of(
                                            "gpa",
                                            Addresses.show(region.gpa()),
                                            "pages_left",
                                            Long.toString(region.pages())));
                });
    }

    private static boolean copy(byte[] source, long address, byte[] into) {
        long from = address - Addresses.PAGE_SIZE;
        Arrays.fill(into, (byte) 0);
        if (from < source.length) {
            int at = (int) from;
            System.arraycopy(source, at, into, 0, Math.min(into.length, source.length - at));
        }
        return true;
    }

    @Override
    public Outcome<StepVm> finalizeVm() {
        return ioctl(() -> {
            TdxCmd cmd = TdxCmd.of(TdxStep.FINALIZE_VM, null);
            return done("KVM_TDX_FINALIZE_VM", vm.memoryEncryptOp(cmd), cmd);
        });
    }

    @Override
    public Outcome<List<Cpuid>> cpuid(int index, int room) {
        return ioctl(() -> {
            Seat seat = seat(index);
            if (seat == null) {
                return noVcpu(index);
            }
            CpuidList list = new CpuidList(room);
            TdxCmd cmd = TdxCmd.of(TdxStep.GET_CPUID, list);
            int result = seat.vcpu.memoryEncryptOp(cmd);
            if (result == Errno.OK) {
                return Outcome.done(views(list.entries()));
            }
            Map<String, String> needed =
                    result == Errno.E2BIG
                            ? Map.of("needed_entries", Integer.toString(list.nent()))
                            : Map.of();
            return failed("KVM_TDX_GET_CPUID", Errno.name(result), cmd.hwError(), needed);
        });
    }

    @Override
    public Outcome<StepVm> terminate() {
        return ioctl(() -> {
            int result = vm.terminate();
            terminated |= result == Errno.OK;
            return done("KVM_TDX_TERMINATE_VM", result);
        });
    }

    @Override
    public Outcome<Progress> preFault(int index, @Gpa long gpa, long size, Signal signal) {
        return withVcpu(
                index,
                signal,
                seat -> {
                    PreFault range = new PreFault(gpa, size, 0);
                    int result = seat.vcpu.preFaultMemory(range);
                    return result == Errno.OK
                            ? Outcome.done(new Progress(range.gpa(), range.size()))
                            : failed("KVM_PRE_FAULT_MEMORY", result);
                });
    }

    @Override
    public Outcome<VcpuExit> run(int index, @Nullable Workload piece, Signal signal) {
        return withVcpu(
                index,
                signal,
                seat -> {
                    if (piece != null && vm.isFinalised() && seat.vcpu.isInitialised()) {
                        seat.vcpu.bindGuest(program(piece, index));
                        seat.bound = true;
                    }
                    if (!seat.bound) {
                        return failed("KVM_RUN", Errno.EINVAL);
                    }
                    if (seat.conversionPending) {
                        seat.conversionPending = false;
                        seat.vcpu.completeMapGpa(Errno.OK);
                    }
                    KvmExit exit = seat.vcpu.runUntilHalt();
                    seat.conversionPending = exit instanceof KvmExit.MapGpa;
                    return Outcome.done(VcpuExit.of(exit));
                });
    }

    private ProgramRunner program(Workload piece, int index) {
        GuestMemory memory =
                new GuestMemory(
                        regions().values().stream()
                                .map(r -> new GuestMemory.Range(r.gpa(), r.gpa() + r.size()))
                                .toList(),
                        vm.sharedBit(),
                        scratch);
        return new ProgramRunner(piece.compile(memory, index, vcpus.size()), memory, index);
    }

    /** One call at a time on a vCPU; closing and the signal get it out. */
    private <T> Outcome<T> withVcpu(int index, Signal signal, Function<Seat, Outcome<T>> call) {
        return ioctl(() -> on(index, seat(index), seat -> withSignal(seat, signal, call)));
    }

    private <T> Outcome<T> withSignal(Seat seat, Signal signal, Function<Seat, Outcome<T>> call) {
        try {
            // First taken back, then sent again by whoever wants it out: no request is lost.
            seat.vcpu.allowRun();
            signal.kicks(seat.vcpu::requestExit);
            if (isClosed()) {
                seat.vcpu.requestExit();
            }
            return call.apply(seat);
        } finally {
            signal.kicksNobody();
        }
    }

    /**
     * A call that cannot be overtaken by closing. Where it fails it tells what the module answered
     * meanwhile; that is this call's doing, or that of one at the same time.
     */
    @SuppressWarnings("ReferenceEquality") // The same answer twice is two answers.
    private <T> Outcome<T> ioctl(Supplier<Outcome<T>> call) {
        return inside(() -> {
            ModuleAnswer before = vm.lastAnswer();
            Outcome<T> outcome = call.get();
            ModuleAnswer after = vm.lastAnswer();
            return after != null
                            && after != before
                            && outcome instanceof Outcome.Refused<T>(Refusal.IoctlFailed failed)
                    ? Outcome.refused(
                            new Refusal.IoctlFailed(
                                    failed.ioctl(),
                                    failed.errno(),
                                    failed.hwError(),
                                    failed.more(),
                                    Optional.of(
                                            new Refusal.IoctlFailed.Answer(
                                                    after.leaf().abiName(), after.status()))))
                    : outcome;
        });
    }

    private @Nullable Seat seat(int index) {
        return index < vcpus.size() ? vcpus.get(index) : null;
    }

    private VcpuView view(KvmVcpu vcpu) {
        return new VcpuView(id(), vcpu.index(), vcpu.isInitialised(), vcpu.cpu());
    }

    private static List<Cpuid> views(List<CpuidEntry> entries) {
        return entries.stream()
                .map(e ->
                        new Cpuid(
                                e.function(),
                                e.index(),
                                e.indexed(),
                                e.eax(),
                                e.ebx(),
                                e.ecx(),
                                e.edx()))
                .toList();
    }

    private Outcome<StepVm> done(String ioctl, int result) {
        return result == Errno.OK ? Outcome.done(this) : failed(ioctl, result);
    }

    private Outcome<StepVm> done(String ioctl, int result, TdxCmd cmd) {
        return result == Errno.OK ? Outcome.done(this) : failed(ioctl, result, cmd);
    }

    private static <T> Outcome<T> failed(String ioctl, int result, TdxCmd cmd) {
        return failed(ioctl, Errno.name(result), cmd.hwError(), Map.of());
    }

    @Override
    void kickAll() {
        vcpus.forEach(seat -> seat.vcpu.requestExit());
    }

    @Override
    void destroy() {
        vm.destroy();
    }
}
