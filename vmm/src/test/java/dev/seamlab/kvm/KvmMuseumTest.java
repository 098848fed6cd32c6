// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import static dev.seamlab.kvm.KvmRig.ok;
import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.host.TdxHost;
import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.fault.SeamcallFaults;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.host.pamt.FaultPool;
import dev.seamlab.kvm.KvmStats.Counter;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.GuestMode.Access;
import dev.seamlab.machine.GuestMode.Outcome;
import dev.seamlab.machine.LogicalCpu;
import dev.seamlab.machine.Registers;
import dev.seamlab.machine.Seam;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.StatusCode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The museum's wing of defects of KVM that need one thread. Each visit takes the historic step past
 * KVM, by hand, or KVM's own: the first must be caught, the second must not. {@code docs/museum.md}
 * shows what these runs print.
 */
class KvmMuseumTest {
    private static final String HEADING = "## One thread: KVM";
    private static final long AT = 2L << 20;

    /** What was done so far, and what was found first. */
    static final class Tour {
        final KvmRig rig = new KvmRig();
        private final List<String> done = new ArrayList<>();
        private @Nullable String symptom;
        private int steps;

        void does(String what) {
            if (symptom == null) {
                done.add(what);
            }
        }

        void sees(String symptomIfNot, boolean holds) {
            if (symptom == null && !holds) {
                symptom = symptomIfNot;
                steps = done.size();
            }
        }

        /** Host and KVM auditor; the first finding. */
        void audits() {
            List<String> findings = rig.audit();
            sees("auditor: " + (findings.isEmpty() ? "" : findings.getFirst()), findings.isEmpty());
        }
    }

    private interface Visit {
        void go(Tour tour, boolean asItWas);
    }

    private static KvmTdx withOnePage(KvmRig rig) {
        KvmTdx vm = rig.runnable(1);
        Prefaults.map(vm, AT, PageInfo.LEVEL_4K);
        return vm;
    }

    /** A vCPU's pool, from KVM_CREATE_VCPU on. */
    private static class VcpuPool {
        @Nullable FaultPool pool;

        void create(TdxHost host) {
            pool = host.newFaultPool(0);
        }

        final void free() {
            Objects.requireNonNull(pool, "the list's head was never initialised").drain();
        }
    }

    /** R-28: memory of zeroes until KVM_TDX_INIT_VCPU makes a pool of it. */
    private static final class R28PoolOfInitVcpu extends VcpuPool {
        @Override
        void create(TdxHost host) {
            // Not yet.
        }
    }

    /** Somebody else holds the lock of the Secure EPT. */
    private static class BusyAug implements SeamcallFaults.Answer {
        @Override
        public long answer(Seam module, LogicalCpu cpu, Registers regs) {
            long busy = StatusCode.OPERAND_BUSY.with(Operand.SEPT_TREE);
            regs.rax(busy);
            return busy;
        }
    }

    /**
     * An event is pending whenever AUG is BUSY, so that KVM leaves its loop and enters the guest
     * once more (R-40). Repeated in place, the calls would be no more than that.
     */
    private static final class R40LeavesTheLoop extends BusyAug {
        @Override
        public long answer(Seam module, LogicalCpu cpu, Registers regs) {
            cpu.raiseInterrupt();
            return super.answer(module, cpu, regs);
        }
    }

    /**
     * The kernel's list of the vCPUs that a CPU knows, threaded through the vCPUs themselves: a
     * vCPU is on it from when it is loaded there until it is flushed or freed. The memory of one
     * that was freed is used again.
     */
    private static class VcpusOfCpu implements Consumer<HostCpu> {
        private static final int HEAD = 0;
        private final int[] next;
        private boolean hasNoEnd;

        VcpusOfCpu(int vcpus) {
            next = new int[vcpus + 1];
        }

        final void load(int vcpu) {
            next[vcpu + 1] = next[HEAD];
            next[HEAD] = vcpu + 1;
        }

        void free(int vcpu) {
            for (int at = HEAD; at != vcpu + 1; at = next[at]) {
                if (next[at] == vcpu + 1) {
                    next[at] = next[vcpu + 1];
                    return;
                }
            }
        }

        /** The CPU goes offline: all of them are flushed. */
        @Override
        public final void accept(HostCpu cpu) {
            int seen = 0;
            for (int at = next[HEAD]; at != HEAD && !hasNoEnd; at = next[at]) {
                hasNoEnd = ++seen == next.length;
            }
            next[HEAD] = HEAD;
        }
    }

    /** R-42: a vCPU whose creation fails is freed as it is. */
    private static final class R42FreesWhatIsListed extends VcpusOfCpu {
        R42FreesWhatIsListed(int vcpus) {
            super(vcpus);
        }

        @Override
        void free(int vcpu) {
            // Still on the list.
        }
    }

    private static void joined(Thread thread) {
        try {
            thread.join();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    /** A defect and the visit that shows it. */
    enum Exhibit {
        R27(
                "statistics count before the module has mapped",
                (tour, asItWas) -> {
                    KvmTdx vm = tour.rig.runnable(1);
                    tour.rig.faults.refuse(
                            Leaf.MEM_PAGE_AUG,
                            1,
                            1,
                            StatusCode.OPERAND_BUSY.with(Operand.SEPT_TREE));
                    if (asItWas) {
                        vm.stats().count(0, Counter.PRIVATE_PAGES);
                    }
                    tour.does("a fault whose first AUG is BUSY");
                    Prefaults.map(vm, AT, PageInfo.LEVEL_4K);
                    tour.audits();
                }),
        R28(
                "pool initialised by INIT_VCPU, drained with any vCPU",
                (tour, asItWas) -> {
                    VcpuPool pool = asItWas ? new R28PoolOfInitVcpu() : new VcpuPool();
                    tour.does("KVM_CREATE_VCPU");
                    pool.create(tour.rig.host);
                    tour.does("the vCPU is freed");
                    pool.free();
                    tour.audits();
                }),
        R29(
                "pool pages are not freed with their vCPU",
                (tour, asItWas) -> {
                    FaultPool pool = tour.rig.host.newFaultPool(0);
                    tour.does("a vCPU's pool is topped up");
                    ok(pool.topUp(FaultPool.ROOT_MAX_LEVEL));
                    tour.does("the vCPU is freed");
                    if (!asItWas) {
                        pool.drain();
                    }
                    tour.audits();
                }),
        R30(
                "an ordinary VM tops up a pool",
                (tour, asItWas) -> {
                    tour.does("a fault of an ordinary VM");
                    if (asItWas) {
                        ok(tour.rig.host.newFaultPool(0).topUp(FaultPool.ROOT_MAX_LEVEL));
                    }
                    tour.sees(
                            "pages of a VM that needs none",
                            tour.rig.host.pages().usedPages(PageUse.POOL) == 0);
                }),
        R34(
                "condition of VP.FLUSH inverted",
                (tour, asItWas) -> {
                    KvmTdx vm = tour.rig.runnable(1);
                    KvmVcpu vcpu = vm.vcpus()[0];
                    tour.does("VP.FLUSH, which succeeds");
                    if (asItWas) {
                        tour.rig
                                .host
                                .cpus()
                                .runOn(
                                        vcpu.cpu(),
                                        cpu -> {
                                            long status =
                                                    tour.rig
                                                            .host
                                                            .tdh()
                                                            .vp()
                                                            .flush(cpu, vcpu.tdvprHpa());
                                            if (status == Status.SUCCESS) {
                                                vm.bug(Leaf.VP_FLUSH, status);
                                            }
                                        });
                    } else {
                        vcpu.flush();
                    }
                    tour.sees("the VM is dead", !vm.isDead());
                }),
        R40(
                "the loop around BUSY is left too early",
                (tour, asItWas) -> {
                    KvmTdx vm = tour.rig.vm(1);
                    ok(vm.addMemslot(0, KvmRig.MEMORY));
                    ok(vm.initVm(new TdConfig(0, 3, 48))); // the guest wants its #VE
                    KvmVcpu vcpu = KvmRig.vcpu(vm);
                    ok(vcpu.init(0));
                    ok(vm.setMemoryAttributes(0, KvmRig.MEMORY, true));
                    ok(vm.finalizeVm());
                    int busy = 10;
                    tour.rig.faults.replace(
                            Leaf.MEM_PAGE_AUG,
                            1,
                            busy,
                            asItWas ? new R40LeavesTheLoop() : new BusyAug());
                    tour.does("an access whose AUG is BUSY " + busy + " times");
                    int[] executed = new int[1];
                    long before = tour.rig.faults.calls(Leaf.VP_ENTER);
                    KvmRig.run(
                            vm,
                            vcpu,
                            cpu -> {
                                executed[0]++;
                                if (cpu.touch(AT, Access.READ)
                                        == Outcome.VIRTUALIZATION_EXCEPTION) {
                                    vcpu.requestExit();
                                }
                            });
                    // The guest's last step leaves the run by itself.
                    long entries = tour.rig.faults.calls(Leaf.VP_ENTER) - before;
                    tour.sees(
                            "zero-step filter: "
                                    + entries
                                    + " entries, and the guest ran in "
                                    + executed[0]
                                    + " of them",
                            entries == executed[0]);
                    tour.rig.faults.clear();
                    tour.audits();
                }),
        R42(
                "a vCPU whose creation failed stays on its CPU's list",
                (tour, asItWas) -> {
                    VcpusOfCpu list = asItWas ? new R42FreesWhatIsListed(2) : new VcpusOfCpu(2);
                    tour.rig.host.addOfflineListener(list);
                    KvmTdx vm = tour.rig.vm(2);
                    ok(vm.initVm(KvmRig.CONFIG));
                    tour.does("KVM_CREATE_VCPU loads a vCPU on CPU 1 and fails");
                    ok(vm.vcpuTable().begin());
                    list.load(0);
                    vm.vcpuTable().abandon();
                    list.free(0);
                    tour.does("the next one gets its memory, and is loaded there");
                    KvmVcpu vcpu = KvmRig.vcpu(vm);
                    list.load(vcpu.index());
                    ok(vcpu.init(0));
                    tour.does("CPU 1 goes offline");
                    ok(tour.rig.host.offline(1));
                    tour.sees("the list of the CPU's vCPUs has no end", !list.hasNoEnd);
                    ok(tour.rig.host.online(1));
                    tour.rig.host.removeOfflineListener(list);
                    tour.audits();
                }),
        R43(
                "a donated page is freed instead of reclaimed",
                (tour, asItWas) -> {
                    tour.rig.faults.refuse(Leaf.MNG_KEY_CONFIG, 1, 1, StatusCode.TD_FATAL.word());
                    tour.does("MNG.CREATE");
                    tour.does("MNG.KEY.CONFIG is refused");
                    if (asItWas) {
                        HostCpu cpu = tour.rig.host.cpus().claim(0);
                        long page = tour.rig.host.controlPages().allocate(cpu);
                        int keyId = tour.rig.host.keyIds().allocate();
                        var _ = tour.rig.host.tdh().mng().create(cpu, Addresses.hpa(page), keyId);
                        var _ = tour.rig.host.tdh().mng().keyConfig(cpu, Addresses.hpa(page));
                        tour.does("the error path frees the TDR");
                        tour.rig.host.controlPages().free(cpu, page);
                        tour.rig.host.cpus().release(cpu);
                    } else {
                        assertThat(tour.rig.vm(1).initVm(KvmRig.CONFIG)).isNotEqualTo(Errno.OK);
                    }
                    tour.rig.faults.clear();
                    tour.audits();
                }),
        R44(
                "BLOCK after the KeyID was released",
                (tour, asItWas) -> {
                    KvmTdx vm = withOnePage(tour.rig);
                    tour.does("KVM_TDX_TERMINATE_VM");
                    ok(vm.terminate());
                    tour.does("a page is removed");
                    if (asItWas) {
                        HostCpu cpu = vm.claimAny();
                        long status =
                                tour.rig
                                        .host
                                        .tdh()
                                        .mem()
                                        .rangeBlock(cpu, vm.tdr(), AT, PageInfo.LEVEL_4K);
                        vm.release(cpu);
                        tour.sees("refused: " + Status.show(status), status == Status.SUCCESS);
                    } else {
                        ok(vm.punch(AT, Addresses.PAGE_SIZE, true));
                    }
                    tour.audits();
                }),
        R44B(
                "TERMINATE_VM lets removals in between VPFLUSHDONE and mmu_lock",
                (tour, asItWas) -> {
                    KvmTdx vm = withOnePage(tour.rig);
                    Thread[] puncher = new Thread[1];
                    int[] punched = {-1};
                    Runnable punch = () -> punched[0] = vm.punch(AT, Addresses.PAGE_SIZE, true);
                    tour.does("KVM_TDX_TERMINATE_VM, as far as VPFLUSHDONE");
                    if (asItWas) {
                        vm.die();
                        vm.vcpus()[0].flush();
                        HostCpu cpu = vm.claimAny();
                        long status = tour.rig.host.tdh().mng().vpflushdone(cpu, vm.tdr());
                        assertThat(status).isEqualTo(Status.SUCCESS);
                        vm.release(cpu);
                        punch.run();
                    } else {
                        tour.rig.faults.replace(
                                Leaf.PHYMEM_CACHE_WB,
                                1,
                                1,
                                (module, cpu, regs) -> {
                                    puncher[0] = Sweeps.beside("puncher", punch);
                                    return module.call(cpu, regs);
                                });
                        ok(vm.terminate());
                        joined(puncher[0]);
                    }
                    tour.does("a hole is punched");
                    ModuleAnswer answer = vm.lastAnswer();
                    tour.sees(
                            "BLOCK is refused, the page is lost: "
                                    + (answer == null ? "" : Status.show(answer.status())),
                            punched[0] == Errno.OK && tour.rig.toldOfLeaks() == 0);
                    tour.audits();
                });

        private final String defect;
        private final Visit visit;

        Exhibit(String defect, Visit visit) {
            this.defect = defect;
            this.visit = visit;
        }

        Tour run(boolean asItWas) {
            Tour tour = new Tour();
            try {
                visit.go(tour, asItWas);
            } catch (NullPointerException raised) {
                // What would be a fault in the kernel.
                tour.sees("raised: " + raised.getClass().getSimpleName(), false);
            }
            return tour;
        }

        String row() {
            Tour tour = run(true);
            return "| "
                    + String.join(
                            " | ",
                            name().replace("R", "R-"),
                            defect,
                            String.join("; ", tour.done),
                            String.valueOf(tour.symptom),
                            Integer.toString(tour.steps))
                    + " |";
        }
    }

    @ParameterizedTest
    @EnumSource(Exhibit.class)
    void exhibit_isCaughtAsItWas_andNotAsItIs(Exhibit exhibit) {
        assertThat(exhibit.run(true).symptom).as("as it was").isNotNull();
        Tour asItIs = exhibit.run(false);
        assertThat(asItIs.symptom).as("as it is").isNull();
        asItIs.rig.close();
    }

    /** To renew the table, copy what this test writes below target. */
    @Test
    void theTableInTheDocs_isWhatRunningPrints() throws IOException {
        List<String> rows = new ArrayList<>();
        for (Exhibit exhibit : Exhibit.values()) {
            rows.add(exhibit.row());
        }
        Path written = Path.of("target/museum-kvm-rows.md");
        Files.write(written, rows);
        List<String> page = Files.readAllLines(Path.of("../docs/museum.md"));
        int from = page.indexOf(HEADING);
        assertThat(from).as("the heading \"" + HEADING + "\"").isNotNegative();
        assertThat(
                        page.subList(from + 1, page.size()).stream()
                                .takeWhile(line -> !line.startsWith("## "))
                                .filter(line -> line.startsWith("| R-")))
                .as("docs/museum.md against " + written)
                .containsExactlyElementsOf(rows);
    }
}
