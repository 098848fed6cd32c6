// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.guest.GuestMemory;
import dev.seamlab.guest.ProgramRunner;
import dev.seamlab.guest.Workload;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.kvm.KvmStats.Counter;
import dev.seamlab.machine.Addresses;
import dev.seamlab.seam.abi.PageInfo;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntSupplier;
import org.jspecify.annotations.Nullable;

/**
 * One TD from KVM_CREATE_VM to its end, with everything on the way that asks host or module for
 * something: build, two vCPUs, measured pages, accepts at both sizes, conversions, 2M leaves split
 * by the guest, by a conversion and by a hole, merged again, pre-faults, holes, termination.
 *
 * <p>It does what a patient user space does. A step that answers EBUSY, EAGAIN, EINTR or ENOMEM is
 * repeated; after any other error, and on a dead VM, the TD is destroyed.
 */
final class WholeLife {
    /** Pages that are accepted at 4K, in two ranges. */
    private static final long SMALL = 0x20_0000;

    /** A leaf of 2M that the guest splits by accepting a part; merged again later. */
    private static final long ACCEPTED_IN_PARTS = 0x40_0000;

    /** A leaf of 2M that a conversion splits. */
    private static final long CONVERTED_IN_PARTS = 0x60_0000;

    /** A leaf of 2M that is removed whole from the living TD. */
    private static final long REMOVED = 0x80_0000;

    /** A leaf of 2M that is there to the end, but for a hole in the dead TD. */
    private static final long KEPT = 0xA0_0000;

    private static final long PAGE = Addresses.PAGE_SIZE;
    private static final long RANGE = Addresses.RANGE_SIZE;
    private static final int PATIENCE = 3;

    /** What a step answered instead of OK. */
    record Told(String step, int errno) {}

    /** What the TD had before it was terminated. */
    record Memory(long pages, long tables, long large, long demotes, long promotes) {}

    private record Step(String name, IntSupplier action) {}

    private final KvmRig rig;
    private final KvmTdx vm;
    private final List<Step> steps = new ArrayList<>();
    private final List<Told> told = new ArrayList<>();
    private Runnable onEintr = () -> {};
    private Runnable onEnomem = () -> {};
    private boolean goesOnAfterEintr = true;
    private String now = "destroy";
    private MemRegion region;
    private PreFault preFault;
    private String program = "";
    private KvmExit.@Nullable MapGpa conversion;
    private Memory memory = new Memory(0, 0, 0, 0, 0);
    private Teardown.Report report = Teardown.Report.CLEAN;
    private boolean reachedItsEnd;

    WholeLife(KvmRig rig) {
        this.rig = rig;
        this.vm = rig.vm(2);
        this.region = new MemRegion((address, into) -> true, PAGE, KvmRig.SCRATCH - PAGE, 2);
        this.preFault = new PreFault(SMALL + 0x10_0000, 2 * PAGE, 0);
        step("memslot", () -> vm.addMemslot(0, KvmRig.MEMORY));
        step("large pages", vm::enableLargePages);
        step("INIT_VM", () -> vm.initVm(KvmRig.CONFIG));
        step("INIT_VCPU 0", () -> initVcpu(0));
        step("INIT_VCPU 1", () -> initVcpu(1));
        step("attributes", () -> vm.setMemoryAttributes(0, KvmRig.MEMORY, true));
        step("INIT_MEM_REGION", this::addPages);
        step("FINALIZE_VM", vm::finalizeVm);
        step("accept 4K", () -> run(0, "accept " + SMALL + "+8k 4k"));
        step("convert", () -> run(0, convert(SMALL, 4)));
        step("accept on another vCPU", () -> run(1, "accept " + (SMALL + RANGE / 2) + "+4k 4k"));
        step("PRE_FAULT_MEMORY", this::preFault);
        step("map 2M", () -> map2m(ACCEPTED_IN_PARTS));
        step("split by accept", () -> run(0, "accept " + ACCEPTED_IN_PARTS + "+4k 4k"));
        step("merge refused", () -> merge(Errno.EAGAIN));
        step("accept the rest", () -> run(0, "accept " + (ACCEPTED_IN_PARTS + PAGE) + "+2044k 4k"));
        step("merge", () -> merge(Errno.OK));
        step("accept 2M", () -> run(0, "accept " + CONVERTED_IN_PARTS + "+6m 2m"));
        step("split by conversion", () -> run(0, convert(CONVERTED_IN_PARTS, 4)));
        step("hole of a page", () -> vm.punch(SMALL + PAGE, PAGE, true));
        step("hole of 2M", () -> vm.punch(REMOVED, RANGE, true));
        step("TERMINATE_VM", this::terminate);
        step("hole in a dead TD", () -> vm.punch(SMALL, PAGE, true));
        step("hole in a dead 2M leaf", () -> vm.punch(KEPT, PAGE, true));
    }

    /** What happens after a step was told EINTR: by default it is repeated. */
    WholeLife afterEintr(boolean goesOn, Runnable action) {
        goesOnAfterEintr = goesOn;
        onEintr = action;
        return this;
    }

    /** What user space does when it is told ENOMEM, before it repeats the step. */
    WholeLife afterEnomem(Runnable action) {
        onEnomem = action;
        return this;
    }

    /** The life, to its end. */
    WholeLife live() {
        reachedItsEnd = allSteps();
        now = "destroy";
        report = vm.destroy();
        rig.vms.remove(vm);
        return this;
    }

    private boolean allSteps() {
        for (Step step : steps) {
            now = step.name();
            if (patiently(step.action()) != Errno.OK) {
                return false;
            }
        }
        return true;
    }

    /** The step that is being done. */
    String now() {
        return now;
    }

    KvmTdx vm() {
        return vm;
    }

    /** What steps answered instead of OK, in order. */
    List<Told> told() {
        return told;
    }

    /** Whether every step was done, if not at once. */
    boolean reachedItsEnd() {
        return reachedItsEnd;
    }

    /** What the TD had in its prime. */
    Memory memory() {
        return memory;
    }

    Teardown.Report report() {
        return report;
    }

    @Override
    public String toString() {
        return "life "
                + (reachedItsEnd ? "to its end" : "cut short")
                + ", told "
                + told
                + ", "
                + report
                + ", answer "
                + vm.lastAnswer();
    }

    private void step(String name, IntSupplier action) {
        steps.add(new Step(name, action));
    }

    private int patiently(IntSupplier action) {
        int result = action.getAsInt();
        for (int i = 0; i < PATIENCE && result != Errno.OK; i++) {
            told.add(new Told(now, result));
            if (vm.isDead()) {
                return result;
            }
            switch (result) {
                case Errno.EINTR -> {
                    onEintr.run();
                    if (!goesOnAfterEintr) {
                        return result;
                    }
                }
                case Errno.ENOMEM -> onEnomem.run();
                case Errno.EBUSY, Errno.EAGAIN -> {}
                default -> {
                    return result;
                }
            }
            result = action.getAsInt();
        }
        return result;
    }

    private int initVcpu(int index) {
        if (vm.vcpus().length <= index && vm.createVcpu() == null) {
            throw new AssertionError("KVM_CREATE_VCPU was refused");
        }
        return vm.vcpus()[index].init(0);
    }

    private int addPages() {
        return vm.vcpus()[0].memoryEncryptOp(
                new TdxCmd(TdxStep.INIT_MEM_REGION.id(), TdxCmd.MEASURE_MEMORY_REGION, region));
    }

    private int preFault() {
        int result = Errno.OK;
        while (preFault.size() > 0 && result == Errno.OK) {
            result = vm.vcpus()[0].preFaultMemory(preFault);
        }
        return result;
    }

    private int map2m(long gpa) {
        return Prefaults.at(vm, gpa, PageInfo.LEVEL_2M);
    }

    /**
     * Merging answers what it has to: EAGAIN where the guest has accepted only some of the pages,
     * and EINVAL where they never were one leaf, because memory for one was short.
     */
    private int merge(int expected) {
        boolean wasLarge = vm.stats().get(Counter.DEMOTES) > 0;
        int result = vm.collapse(ACCEPTED_IN_PARTS);
        if (result == (wasLarge ? expected : Errno.EINVAL)) {
            return Errno.OK;
        }
        if (result == Errno.OK) {
            throw new AssertionError("merged what cannot be");
        }
        return result;
    }

    private int terminate() {
        memory =
                new Memory(
                        vm.stats().get(Counter.PRIVATE_PAGES),
                        vm.stats().get(Counter.SEPT_PAGES),
                        vm.stats().get(Counter.LARGE_LEAVES),
                        vm.stats().get(Counter.DEMOTES),
                        vm.stats().get(Counter.PROMOTES));
        return vm.terminate();
    }

    private static String convert(long gpa, int kib) {
        String range = gpa + "+" + kib + "k";
        return "share " + range + "; private " + range + "; accept " + range + " 4k";
    }

    /** KVM_RUN until the program is over; called again after an error, it goes on with it. */
    private int run(int index, String text) {
        KvmVcpu vcpu = vm.vcpus()[index];
        if (!program.equals(text)) {
            program = text;
            GuestMemory memory = new GuestMemory(List.of(), 47, KvmRig.SCRATCH);
            vcpu.bindGuest(
                    new ProgramRunner(
                            Workload.parse("@" + index + " { " + text + "; shutdown }")
                                    .compile(memory, index, 2),
                            memory,
                            index));
        }
        while (true) {
            KvmExit.MapGpa wanted = conversion;
            if (wanted != null) {
                int result =
                        vm.setMemoryAttributes(wanted.gpa(), wanted.size(), !wanted.toShared());
                if (result != Errno.OK) {
                    return result;
                }
                conversion = null;
                vcpu.completeMapGpa(result);
            }
            switch (vcpu.run()) {
                case KvmExit.MapGpa exit -> conversion = exit;
                case KvmExit.PortOut _ -> {
                    return Errno.OK;
                }
                case KvmExit.Interrupted _ -> {
                    return Errno.EINTR;
                }
                case KvmExit.Failed(int errno, String _) -> {
                    return errno;
                }
                case KvmExit exit -> throw new AssertionError(exit);
            }
        }
    }
}
