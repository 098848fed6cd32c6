// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import static dev.seamlab.kvm.KvmRig.ok;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.seamlab.host.Preset;
import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.kvm.KvmStats.Counter;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.GuestMode.Access;
import dev.seamlab.machine.GuestMode.Outcome;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.StatusCode;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.EnumSource.Mode;

/** Removing private pages from a living TD, and taking a dead one apart. */
@Timeout(120)
class RemovalTest {
    private static final long AT = 0x20_0000;
    private static final long PAGE = Addresses.PAGE_SIZE;
    private static final long SEPT_BUSY = StatusCode.OPERAND_BUSY.with(Operand.SEPT_TREE);

    /** Faults at one instruction after which the module suspects the host of a zero-step attack. */
    private static final int SUSPICIOUS = 7;

    private static final long UNEXPECTED = StatusCode.TD_FATAL.word();

    private final KvmRig rig = new KvmRig();

    @AfterEach
    void close() {
        rig.close();
    }

    /** A running TD with accepted pages at {@link #AT}. */
    private KvmTdx withPages(int pages) {
        KvmTdx vm = rig.runnable(1);
        KvmExit exit = KvmRig.run(vm, vm.vcpus()[0], "accept " + AT + "+" + pages * 4 + "k 4k");
        assertThat(exit).isInstanceOf(KvmExit.PortOut.class);
        return vm;
    }

    // ------------------------------------------------------------------ BUSY

    @ParameterizedTest
    @CsvSource({
        "MEM_RANGE_BLOCK, OPERAND_BUSY",
        "MEM_TRACK, OPERAND_BUSY",
        "MEM_TRACK, PREVIOUS_TLB_EPOCH_BUSY",
        "MEM_PAGE_REMOVE, OPERAND_BUSY"
    })
    void zap_busyOnce_isTriedAgainWithNoVcpuInTheGuest(Leaf leaf, StatusCode busy) {
        KvmTdx vm = withPages(2);
        AtomicBoolean held = new AtomicBoolean();
        rig.faults.refuseNext(leaf, busy.with(Operand.SEPT_TREE));
        rig.faults.replace(
                leaf,
                1,
                1,
                (module, cpu, regs) -> {
                    held.set(vm.life().areEntriesHeld());
                    return module.call(cpu, regs);
                });
        ok(vm.setMemoryAttributes(AT, 2 * PAGE, false));
        assertThat(held).isTrue();
        assertThat(vm.life().areEntriesHeld()).isFalse();
        assertThat(vm.stats().get(Counter.ZAP_BUSY)).isEqualTo(1);
        assertThat(vm.stats().get(Counter.ZAPS)).isEqualTo(2);
        assertThat(vm.stats().get(Counter.LEAKED_PAGES)).isZero();
        assertThat(vm.isDead()).isFalse();
    }

    @ParameterizedTest
    @CsvSource({"MEM_RANGE_BLOCK", "MEM_TRACK", "MEM_PAGE_REMOVE"})
    void zap_busyTwice_leaksThePageOnPurpose(Leaf leaf) {
        KvmTdx vm = withPages(2);
        rig.faults.refuse(leaf, 1, 2, SEPT_BUSY);
        assertThat(vm.setMemoryAttributes(AT, 2 * PAGE, false)).isEqualTo(Errno.EIO);
        assertThat(vm.isDead()).isTrue();
        // The second page went as it should.
        assertThat(vm.stats().get(Counter.LEAKED_PAGES)).isEqualTo(1);
        assertThat(vm.stats().get(Counter.ZAPS)).isEqualTo(1);
        assertThat(rig.used()).containsEntry(PageUse.LEAKED, 1L);
        assertThat(rig.audit()).isEmpty();
        // A page that the module still counts keeps the TDR from being given back.
        Teardown.Report report = vm.destroy();
        assertThat(report.keyIdLeaked()).isFalse();
        assertThat(report.leakedPages()).isEqualTo(1);
        assertThat(rig.used()).containsEntry(PageUse.LEAKED, 2L);
    }

    @Test
    void zap_writeBackRefused_leaksThePage_andTheRestComesBack() {
        KvmTdx vm = withPages(1);
        rig.faults.refuseNext(Leaf.PHYMEM_PAGE_WBINVD, UNEXPECTED);
        assertThat(vm.punch(AT, PAGE, true)).isEqualTo(Errno.EIO);
        assertThat(rig.used()).containsEntry(PageUse.LEAKED, 1L);
        assertThat(rig.audit()).isEmpty();
        assertThat(vm.destroy().isClean()).isTrue();
    }

    /**
     * A guest-side leaf holds the Secure EPT while another CPU zaps: real contention instead of a
     * scripted answer. The guest accepts pages in a loop on one CPU.
     */
    @Test
    void zap_againstAGuestThatAccepts_neverLosesAPage() throws Exception {
        KvmTdx vm = rig.runnable(1);
        KvmVcpu vcpu = vm.vcpus()[0];
        Thread guest =
                Thread.ofPlatform()
                        .start(() ->
                                KvmRig.run(
                                        vm,
                                        vcpu,
                                        "loop 40 { accept "
                                                + 2 * AT
                                                + "+256k 4k; share "
                                                + 2 * AT
                                                + "+256k; private "
                                                + 2 * AT
                                                + "+256k }"));
        int rounds = 0;
        while (guest.isAlive()) {
            ok(vm.setMemoryAttributes(AT, 16 * PAGE, rounds++ % 2 == 0));
        }
        guest.join();
        assertThat(vm.isDead()).isFalse();
        assertThat(vm.stats().get(Counter.LEAKED_PAGES)).isZero();
        assertThat(rig.audit()).isEmpty();
    }

    @Test
    void r40_augBusy_isRepeatedInPlace_notByEnteringTheGuest() {
        KvmTdx vm = rig.runnable(1);
        rig.faults.refuse(Leaf.MEM_PAGE_AUG, 1, 5, SEPT_BUSY);
        long[] entersAtFirst = new long[1];
        long[] entersAtLast = new long[1];
        rig.faults.replace(
                Leaf.MEM_PAGE_AUG,
                1,
                1,
                (module, cpu, regs) -> {
                    entersAtLast[0] = rig.faults.calls(Leaf.VP_ENTER);
                    return module.call(cpu, regs);
                });
        entersAtFirst[0] = rig.faults.calls(Leaf.VP_ENTER) + 1;
        KvmRig.run(vm, vm.vcpus()[0], "accept " + AT + "+4k 4k");
        assertThat(vm.stats().get(Counter.FAULT_RETRIES)).isEqualTo(5);
        assertThat(entersAtLast[0]).isEqualTo(entersAtFirst[0]);
    }

    /**
     * The mutant leaves the loop after each BUSY, as if an event were pending: the guest is entered
     * again at the same instruction, until the module suspects the host of single-stepping it and
     * VP.ENTER looks into the Secure EPT, under the lock that AUG needs, instead of running it.
     */
    @Test
    void r40_augBusy_leavingTheLoopEachTime_makesTheModuleSuspectTheHost() {
        long busy = SUSPICIOUS + 3;
        int[] kept = instructionsUntilMapped(busy, false);
        assertThat(kept[0]).as("instructions with the loop").isEqualTo(2);
        assertThat(kept[1]).as("entries with the loop").isEqualTo(2);
        int[] left = instructionsUntilMapped(busy, true);
        assertThat(left[0])
                .as("instructions while the loop is left: none once the module is suspicious")
                .isEqualTo(SUSPICIOUS + 1);
        assertThat(left[1]).as("entries while the loop is left").isGreaterThan((int) busy);
    }

    /** Times a guest executed its access, and VP.ENTER calls, until AUG was no longer BUSY. */
    private int[] instructionsUntilMapped(long busy, boolean leaves) {
        KvmTdx vm = rig.vm(1);
        ok(vm.addMemslot(0, KvmRig.MEMORY));
        ok(vm.initVm(new TdConfig(0, 3, 48))); // the guest wants its #VE
        KvmVcpu vcpu = KvmRig.vcpu(vm);
        ok(vcpu.init(0));
        ok(vm.setMemoryAttributes(0, KvmRig.MEMORY, true));
        ok(vm.finalizeVm());
        rig.faults.replace(
                Leaf.MEM_PAGE_AUG,
                1,
                busy,
                (module, cpu, regs) -> {
                    if (leaves) {
                        cpu.raiseInterrupt();
                    }
                    regs.rax(SEPT_BUSY);
                    return SEPT_BUSY;
                });
        int[] seen = new int[2];
        long before = rig.faults.calls(Leaf.VP_ENTER);
        KvmExit exit =
                KvmRig.run(
                        vm,
                        vcpu,
                        cpu -> {
                            seen[0]++;
                            if (cpu.touch(AT, Access.READ) == Outcome.VIRTUALIZATION_EXCEPTION) {
                                seen[1] = (int) (rig.faults.calls(Leaf.VP_ENTER) - before);
                                vcpu.requestExit();
                            }
                        });
        assertThat(exit).isInstanceOf(KvmExit.Interrupted.class);
        rig.faults.clear();
        return seen;
    }

    @Test
    void r39_lastPutOfARangeBetweenTwoFaults_isNeverMissingAPair() {
        KvmTdx vm = rig.runnable(1);
        KvmRig.run(
                vm,
                vm.vcpus()[0],
                "loop 50 { accept " + AT + "+4k 4k; share " + AT + "+4k; private " + AT + "+4k }");
        assertThat(vm.isDead()).isFalse();
        assertThat(vm.stats().get(Counter.ZAPS)).isEqualTo(50);
    }

    // ------------------------------------------------------------------ teardown

    @Test
    void destroy_cacheWriteBackBusyOrInterrupted_isRepeated() {
        KvmTdx vm = withPages(1);
        rig.faults.refuse(Leaf.PHYMEM_CACHE_WB, 1, 3, StatusCode.OPERAND_BUSY.word());
        List<Long> resumes = new ArrayList<>();
        rig.faults.replace(
                Leaf.PHYMEM_CACHE_WB,
                1,
                1,
                (module, cpu, regs) -> {
                    long status = StatusCode.INTERRUPTED_RESUMABLE.word();
                    resumes.add(regs.rcx());
                    regs.rax(status);
                    return status;
                });
        rig.faults.replace(
                Leaf.PHYMEM_CACHE_WB,
                1,
                1,
                (module, cpu, regs) -> {
                    resumes.add(regs.rcx());
                    regs.rcx(0); // nothing was really interrupted
                    return module.call(cpu, regs);
                });
        assertThat(vm.destroy().isClean()).isTrue();
        assertThat(resumes).containsExactly(0L, 1L);
    }

    @Test
    void destroy_nothingToWriteBack_isNoFailure() {
        KvmTdx vm = withPages(1);
        // Another teardown has written this KeyID back already, so the module has nothing to do.
        rig.faults.replace(
                Leaf.PHYMEM_CACHE_WB,
                1,
                1,
                (module, cpu, regs) -> {
                    module.call(cpu, regs);
                    long status = StatusCode.NO_HKID_READY_TO_WBCACHE.word();
                    regs.rax(status);
                    return status;
                });
        assertThat(vm.destroy().isClean()).isTrue();
        assertThat(rig.log).noneMatch(line -> line.contains("teardown"));
    }

    @ParameterizedTest
    @EnumSource(names = {"MNG_VPFLUSHDONE", "MNG_KEY_FREEID"})
    void destroy_keyIdNotReleased_leaksItAndEveryPageWithIt(Leaf leaf) {
        KvmTdx vm = withPages(3);
        long held =
                vm.books().controlPages()
                        + vm.stats().get(Counter.SEPT_PAGES)
                        + vm.stats().get(Counter.PRIVATE_PAGES);
        rig.faults.refuseNext(leaf, UNEXPECTED);
        Teardown.Report report = vm.destroy();
        assertThat(report.keyIdLeaked()).isTrue();
        assertThat(report.leakedPages()).isEqualTo(held);
        assertThat(vm.stats().get(Counter.LEAKED_PAGES)).isEqualTo(held);
        assertThat(rig.used()).containsEntry(PageUse.LEAKED, held);
        assertThat(rig.host.keyIds().used()).isEqualTo(1);
        assertThat(rig.log).anyMatch(line -> line.contains("is leaked"));
        assertThat(rig.audit()).isEmpty();
        rig.vms.remove(vm);
        // The host goes on, one KeyID short.
        assertThat(rig.runnable(1).destroy().isClean()).isTrue();
    }

    @Test
    void destroy_cacheWriteBackNeverDone_leaksTheKeyId() {
        KvmTdx vm = withPages(1);
        rig.faults.refuse(Leaf.PHYMEM_CACHE_WB, 1, Long.MAX_VALUE, StatusCode.OPERAND_BUSY.word());
        assertThat(vm.destroy().keyIdLeaked()).isTrue();
        assertThat(rig.audit()).isEmpty();
    }

    @Test
    void destroy_anyReclaimRefused_leaksThatPageAndWhatItBlocks() {
        KvmTdx sample = withPages(2);
        long before = rig.faults.calls(Leaf.PHYMEM_PAGE_RECLAIM);
        assertThat(sample.destroy().isClean()).isTrue();
        long reclaims = rig.faults.calls(Leaf.PHYMEM_PAGE_RECLAIM) - before;
        long leaked = 0;
        for (long nth = 1; nth <= reclaims; nth++) {
            KvmTdx vm = withPages(2);
            rig.faults.refuse(Leaf.PHYMEM_PAGE_RECLAIM, nth, 1, UNEXPECTED);
            Teardown.Report report = vm.destroy();
            // The TDR goes last and only alone: it stays with whatever stays.
            long expected = nth == reclaims ? 1 : 2;
            assertThat(report.leakedPages()).as("reclaim " + nth).isEqualTo(expected);
            assertThat(report.keyIdLeaked()).isFalse();
            leaked += expected;
            assertThat(rig.used()).containsEntry(PageUse.LEAKED, leaked);
            assertThat(rig.audit()).as("reclaim " + nth).isEmpty();
            rig.faults.clear();
        }
    }

    @Test
    void destroy_tdrWriteBackUsesTheGlobalKeyId_andRefusedLeaksTheTdr() {
        KvmTdx vm = withPages(1);
        List<Long> operands = new ArrayList<>();
        rig.faults.replace(
                Leaf.PHYMEM_PAGE_WBINVD,
                1,
                1,
                (module, cpu, regs) -> {
                    operands.add(regs.rcx());
                    regs.rax(UNEXPECTED);
                    return UNEXPECTED;
                });
        assertThat(vm.destroy().leakedPages()).isEqualTo(1);
        assertThat(operands)
                .singleElement()
                .satisfies(operand ->
                        assertThat(operand >>> rig.machine.profile().addressBits())
                                .isEqualTo(rig.host.globalKeyId()));
        assertThat(rig.audit()).isEmpty();
    }

    @Test
    void destroy_watched_tellsProgressAndCanBeStoppedAfterEachPiece() {
        KvmTdx vm = rig.runnable(2);
        // Four leaf tables.
        for (int i = 1; i <= 4; i++) {
            KvmRig.run(vm, vm.vcpus()[0], "accept " + i * AT + "+64k 4k");
        }
        long total =
                vm.books().controlPages()
                        + vm.stats().get(Counter.SEPT_PAGES)
                        + vm.stats().get(Counter.PRIVATE_PAGES);
        List<Long> seen = new ArrayList<>();
        int stops = 0;
        Teardown.Report report;
        do {
            report =
                    vm.destroy((done, of) -> {
                        assertThat(of).isEqualTo(total);
                        seen.add(done);
                        return false;
                    });
            stops++;
            // Half torn down, and still every page has one owner.
            assertThat(rig.audit()).isEmpty();
        } while (!report.isFinished() && stops < 100);
        assertThat(report.isClean()).isTrue();
        assertThat(seen).isSorted();
        assertThat(seen.size()).isGreaterThan(6);
        assertThat(stops).isEqualTo(seen.size() + 1);
        assertThat(rig.used()).isEmpty();
    }

    @Test
    void r29_poolPages_comeBackWithTheirVcpu() {
        KvmTdx vm = withPages(1);
        assertThat(vm.books().poolPages()).isPositive();
        assertThat(vm.destroy().isClean()).isTrue();
        assertThat(rig.used()).isEmpty();
    }

    @ParameterizedTest
    @EnumSource(Preset.class)
    void r24_tablesAreGivenBackInTaskContext_notDeferred(Preset preset) {
        // put takes a plain lock, so it must never run where that lock could be interrupted. Tables
        // are put and freed at once by the thread that tears down, and no later.
        try (KvmRig other = new KvmRig(preset)) {
            KvmTdx vm = other.runnable(1);
            KvmRig.run(vm, vm.vcpus()[0], "accept " + AT + "+16k 4k");
            long self = Thread.currentThread().threadId();
            AtomicBoolean elsewhere = new AtomicBoolean();
            other.faults.replace(
                    Leaf.PHYMEM_PAMT_REMOVE,
                    1,
                    Long.MAX_VALUE,
                    (module, cpu, regs) -> {
                        if (Thread.currentThread().threadId() != self) {
                            elsewhere.set(true);
                        }
                        return module.call(cpu, regs);
                    });
            assertThat(vm.destroy().isClean()).isTrue();
            assertThat(elsewhere).isFalse();
            assertThat(other.used()).isEmpty();
        }
    }

    @ParameterizedTest
    @EnumSource(value = Preset.class, mode = Mode.EXCLUDE, names = "STATIC")
    void r24_putThatIsDeferredToASoftirq_wouldWaitForTheGetItInterrupts(Preset preset) {
        // The mutant: a table's page is put by a callback that runs in whatever the CPU is doing.
        KvmRig other = new KvmRig(preset);
        HostCpu cpu = other.host.cpus().claimAny();
        long table = other.host.controlPages().allocate(cpu);
        long page = other.host.pages().allocateRange(0, 512, 512, PageUse.HOST);
        List<String> softirqs = new ArrayList<>();
        other.faults.replace(
                Leaf.PHYMEM_PAMT_ADD,
                1,
                1,
                (module, at, regs) -> {
                    assertThatThrownBy(() -> other.host.backing().put(cpu, table))
                            .isInstanceOf(AssertionError.class)
                            .hasMessage("lock order: PAMT taken after PAMT");
                    softirqs.add("ran inside get");
                    return module.call(at, regs);
                });
        ok(other.host.backing().get(cpu, page, other.host.sleepingPairs(0)));
        assertThat(softirqs).hasSize(1);
        other.host.cpus().release(cpu);
        other.abandon(); // a put that was cut short leaves no good books
    }

    @Test
    void r27_statisticsOfAFault_countOnlyWhatTheModuleDid() {
        KvmTdx vm = rig.runnable(1);
        long pages = vm.stats().get(Counter.PRIVATE_PAGES);
        long tables = vm.stats().get(Counter.SEPT_PAGES);
        rig.faults.refuse(Leaf.MEM_PAGE_AUG, 1, 3, SEPT_BUSY);
        rig.faults.refuse(Leaf.MEM_SEPT_ADD, 1, 2, SEPT_BUSY);
        KvmRig.run(vm, vm.vcpus()[0], "accept " + AT + "+4k 4k");
        assertThat(vm.stats().get(Counter.PRIVATE_PAGES)).isEqualTo(pages + 1);
        assertThat(vm.stats().get(Counter.SEPT_PAGES)).isEqualTo(tables + 1);
        assertThat(vm.stats().get(Counter.BUSY_ANSWERS)).isEqualTo(5);
    }
}
