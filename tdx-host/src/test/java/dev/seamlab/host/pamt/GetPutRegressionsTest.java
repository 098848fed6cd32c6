// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.pamt;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.host.HostAuditor;
import dev.seamlab.host.Hosts;
import dev.seamlab.host.Preset;
import dev.seamlab.host.ScriptedSeam;
import dev.seamlab.host.TdxHost;
import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.init.TdxInitException;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.kernel.KernelLog;
import dev.seamlab.host.mem.FailureInjection;
import dev.seamlab.host.mem.PageAllocator;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.host.tdh.PhymemLeaves;
import dev.seamlab.machine.Machine;
import dev.seamlab.machine.PhysicalMemory;
import dev.seamlab.machine.profile.AddressRange;
import dev.seamlab.machine.profile.ModuleProfile;
import dev.seamlab.machine.sched.LockRank;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.StatusCode;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.EnumSource.Mode;

/**
 * What went wrong with get and put in the series: the corrected variants keep each rule, a mutant
 * with the historic defect breaks it.
 */
class GetPutRegressionsTest {
    private static final long PFN = 64 * 512;

    private static final List<BackingMutant.Maker> CORRECT =
            List.of(
                    (c, m, p, a) -> new DecAndLockBacking(c, m, p),
                    (c, m, p, a) -> new AlwaysLockBacking(c, m, p),
                    BackingMutant::new);

    /** A host with a backing of its own on the host's refcounts. */
    private static final class Lab implements AutoCloseable {
        final ScriptedSeam seam;
        final TdxHost host;
        final PageAllocator pages;
        final RangeRefcounts counts;
        final HostCpu cpu;
        final PamtBacking backing;
        final Set<Long> reset = new HashSet<>();

        Lab(BackingMutant.Maker maker) throws TdxInitException {
            Machine machine =
                    new Machine(
                            Hosts.with(
                                    ModuleProfile.V1_5_25,
                                    true,
                                    new AddressRange(1L << 20, 256L << 20)));
            seam = ScriptedSeam.loadInto(machine);
            host = TdxHost.bringUp(machine, Preset.V4.policy(), KernelLog.SILENT);
            pages = host.pages();
            counts = host.refcounts().orElseThrow();
            PageReset noting =
                    new PageReset(machine.memory(), true) {
                        @Override
                        public void reset(long pfn) {
                            assertThat(pages.useOf(pfn)).isEqualTo(PageUse.PAMT_PAIR);
                            reset.add(pfn);
                            super.reset(pfn);
                        }
                    };
            PairPages pairs = new PairPages(pages, noting, KernelLog.SILENT);
            backing = maker.make(counts, host.tdh().phymem(), pairs, pages);
            cpu = host.cpus().claim(0);
        }

        int get(long pfn) {
            return backing.get(cpu, pfn, host.sleepingPairs(0));
        }

        void put(long pfn) {
            backing.put(cpu, pfn);
        }

        long pairPages() {
            return pages.usedPages(PageUse.PAMT_PAIR);
        }

        List<String> audit() {
            host.cpus().release(cpu);
            List<String> findings = HostAuditor.audit(host);
            assertThat(host.cpus().tryClaim(0)).isSameAs(cpu);
            return findings;
        }

        @Override
        public void close() {
            host.cpus().release(cpu);
        }
    }

    private static void killed(BackingMutant.Maker mutant, Predicate<Lab> rule)
            throws TdxInitException {
        for (BackingMutant.Maker correct : CORRECT) {
            try (Lab lab = new Lab(correct)) {
                assertThat(rule.test(lab)).as(lab.backing.getClass().getSimpleName()).isTrue();
            }
        }
        try (Lab lab = new Lab(mutant)) {
            assertThat(rule.test(lab)).as(lab.backing.getClass().getSimpleName()).isFalse();
        }
    }

    @Test
    @DisplayName("R-10: the pair is installed for another 2M range than the page's")
    void r10_pairBelongsToTheRangeOfThePage() throws Exception {
        killed(
                BackingMutant.R10AlignsFrameWithBytes::new,
                lab -> {
                    int result = lab.get(PFN + 511);
                    boolean there = lab.counts.read(PFN) == 1;
                    lab.put(PFN + 511);
                    return result == Errno.OK && there;
                });
    }

    @Test
    @DisplayName("R-11: the second get of a range issues PAMT.ADD again")
    void r11_secondGet_asksTheModuleNothing() throws Exception {
        killed(
                BackingMutant.R11IgnoresTheCount::new,
                lab ->
                        lab.get(PFN) == Errno.OK
                                && lab.get(PFN + 1) == Errno.OK
                                && lab.seam.calls(Leaf.PHYMEM_PAMT_ADD) == 1
                                && lab.counts.read(PFN) == 2);
    }

    @Test
    @DisplayName("R-12: half a pair was allocated, and leaks or is freed as garbage")
    void r12_halfAPair_goesBack() {
        PairRule rule = GetPutRegressionsTest::halfAPairGoesBack;
        assertThat(rule.holds(AllocatorPairs::new)).isTrue();
        assertThat(
                        rule.holds((pages, node) ->
                                pair -> {
                                    pair[0] = pages.allocate(node, PageUse.PAMT_PAIR);
                                    pair[1] = pages.allocate(node, PageUse.PAMT_PAIR);
                                    return pair[1] != PageAllocator.NONE;
                                }))
                .isFalse();
    }

    @Test
    @DisplayName("R-20: the allocator's unwind uses the wrong index and frees another page")
    void r20_halfAPair_isUnwoundByItsOwnIndex() {
        PairRule rule = GetPutRegressionsTest::halfAPairGoesBack;
        assertThat(
                        rule.holds((pages, node) ->
                                pair -> {
                                    for (int i = 0; i < 2; i++) {
                                        pair[i] = pages.allocate(node, PageUse.PAMT_PAIR);
                                        if (pair[i] == PageAllocator.NONE) {
                                            for (int taken = 0; taken < i; taken++) {
                                                pages.free(pair[i], PageUse.PAMT_PAIR);
                                            }
                                            return false;
                                        }
                                    }
                                    return true;
                                }))
                .isFalse();
    }

    private interface PairMaker {
        PairSource make(PageAllocator pages, int node);
    }

    private interface PairRule {
        boolean holds(PairMaker maker);
    }

    private static boolean halfAPairGoesBack(PairMaker maker) {
        PageAllocator pages =
                new PageAllocator(
                        new PhysicalMemory(),
                        List.of(List.of(new AddressRange(1L << 20, 2L << 20))));
        pages.setGate(FailureInjection.nth(1));
        try {
            return !maker.make(pages, 0).take(new long[2])
                    && pages.freePages() == pages.totalPages();
        } catch (IllegalStateException e) {
            return false;
        }
    }

    @Test
    @DisplayName("R-13: ADD fails and get says success")
    void r13_refusedAdd_isAnErrorOfGet() throws Exception {
        killed(
                BackingMutant.R13AnswersOkWithoutAPair::new,
                lab -> {
                    lab.seam.refuseNext(
                            Leaf.PHYMEM_PAMT_ADD, StatusCode.OPERAND_BUSY.with(Operand.RCX));
                    return lab.get(PFN) == Errno.EIO
                            && lab.counts.read(PFN) == 0
                            && lab.pairPages() == 0;
                });
    }

    @Test
    @DisplayName("R-16: two pending puts leave a count without a pair (version 4 as posted)")
    void r16_twoPendingPuts_asPosted_breakTheCount() throws Exception {
        // CPU 0's put has counted down and not entered the lock; meanwhile CPU 1 gets and puts.
        try (Interleaved lab = new Interleaved(LockAvoidingBacking::new)) {
            lab.get();
            lab.betweenCountAndLock(inner -> {
                assertThat(inner.get()).isEqualTo(Errno.OK);
                inner.put();
            });
            lab.put();
            // The second REMOVE found nothing to take, and the count says that there is a pair.
            assertThat(lab.counts.read(PFN)).isEqualTo(1);
            assertThat(lab.seam.calls(Leaf.PHYMEM_PAMT_REMOVE)).isEqualTo(2);
            assertThat(lab.log).anyMatch(line -> line.contains("PAMT.REMOVE failed"));
            int adds = lab.seam.calls(Leaf.PHYMEM_PAMT_ADD);
            assertThat(lab.get()).as("get by the fast path").isEqualTo(Errno.OK);
            assertThat(lab.seam.calls(Leaf.PHYMEM_PAMT_ADD)).isEqualTo(adds);
            assertThat(lab.isBacked()).as("the range has a pair").isFalse();
        }
    }

    @Test
    @DisplayName("R-16: the same interleaving is harmless with decrement-and-lock")
    void r16_twoPendingPuts_decAndLock_keepTheCount() throws Exception {
        try (Interleaved lab = new Interleaved(DecAndLockBacking::new)) {
            lab.get();
            lab.betweenCountAndLock(inner -> {
                assertThat(inner.get()).isEqualTo(Errno.OK);
                inner.put();
            });
            lab.put();
            assertThat(lab.counts.read(PFN)).isZero();
            assertThat(lab.isBacked()).isFalse();
            assertThat(lab.log).isEmpty();
            assertThat(lab.get()).isEqualTo(Errno.OK);
            assertThat(lab.isBacked()).isTrue();
            lab.put();
        }
    }

    private interface Variant {
        PamtBacking make(RangeRefcounts counts, PhymemLeaves module, PairPages pages);
    }

    /** One thread plays all CPUs: what the others do happens where put leaves the count. */
    private static final class Interleaved implements AutoCloseable {
        final ScriptedSeam seam;
        final TdxHost host;
        final HostCpu cpu;
        final List<String> log = new ArrayList<>();
        final RangeRefcounts counts;
        private final PamtBacking backing;
        private Consumer<Interleaved> others = lab -> {};

        Interleaved(Variant variant) throws TdxInitException {
            Machine machine = new Machine(Hosts.small());
            seam = ScriptedSeam.loadInto(machine);
            host = TdxHost.bringUp(machine, Preset.V4.policy(), KernelLog.SILENT);
            counts = new Interrupted(host.memory().maxPfn());
            backing =
                    variant.make(
                            counts,
                            host.tdh().phymem(),
                            new PairPages(host.pages(), host.pageReset(), log::add));
            cpu = host.cpus().claim(0);
        }

        /** Counters of which the two moves that put makes outside the lock can be followed. */
        private final class Interrupted extends RangeRefcounts {
            Interrupted(long maxPfn) {
                super(maxPfn);
            }

            @Override
            public int decrement(long pfn) {
                int count = super.decrement(pfn);
                if (count == 0 && !LockRank.Held.isHeld(LockRank.PAMT)) {
                    othersGoOn();
                }
                return count;
            }

            @Override
            public boolean decAboveOne(long pfn) {
                boolean done = super.decAboveOne(pfn);
                if (!done && !LockRank.Held.isHeld(LockRank.PAMT)) {
                    othersGoOn();
                }
                return done;
            }

            @Override
            protected boolean isPopulated(long pfn) {
                return true;
            }

            @Override
            public long bytes() {
                return 0;
            }

            @Override
            public void release() {
                // Holds no pages.
            }
        }

        private void othersGoOn() {
            Consumer<Interleaved> now = others;
            others = lab -> {};
            now.accept(this);
        }

        void betweenCountAndLock(Consumer<Interleaved> steps) {
            others = steps;
        }

        int get() {
            return backing.get(cpu, PFN, host.sleepingPairs(0));
        }

        void put() {
            backing.put(cpu, PFN);
        }

        boolean isBacked() {
            host.tdh().phymem().pageRdmd(cpu, PFN << 12, 1);
            return cpu.regs().rcx() < 0;
        }

        @Override
        public void close() {
            host.cpus().release(cpu);
        }
    }

    @Test
    @DisplayName("R-17: 'range not free' is taken for success while the range is one 2M page")
    void r17_rangeNotFree_isAnErrorOfGet() throws Exception {
        killed(
                BackingMutant.R17TakesNotFreeForSuccess::new,
                lab -> {
                    lab.seam.refuseNext(
                            Leaf.PHYMEM_PAMT_ADD, StatusCode.HPA_RANGE_NOT_FREE.with(Operand.RCX));
                    return lab.get(PFN) == Errno.EIO && lab.counts.read(PFN) == 0;
                });
    }

    @Test
    @DisplayName("R-18: pair pages reach the page allocator without having been reset")
    void r18_returnedPair_isResetBeforeItIsFree() throws Exception {
        killed(
                BackingMutant.R18FreesWithoutReset::new,
                lab -> {
                    lab.get(PFN);
                    Set<Long> pair = Set.of(lab.cpu.pair()[0], lab.cpu.pair()[1]);
                    lab.put(PFN);
                    return lab.reset.equals(pair) && lab.pairPages() == 0;
                });
    }

    @Test
    @DisplayName("R-19: REMOVE fails, and the count forgets the pair that is still there")
    void r19_refusedRemove_keepsTheCount() throws Exception {
        killed(
                BackingMutant.R19CountsDownAfterARefusedRemove::new,
                lab -> {
                    lab.get(PFN);
                    lab.seam.refuseNext(
                            Leaf.PHYMEM_PAMT_REMOVE, StatusCode.OPERAND_BUSY.with(Operand.RCX));
                    lab.put(PFN);
                    boolean kept = lab.counts.read(PFN) == 1 && lab.pairPages() == 2;
                    return kept && lab.get(PFN + 1) == Errno.OK;
                });
    }

    @Test
    @DisplayName("R-21: control pages are in nobody's books")
    void r21_controlPages_areAccounted() throws Exception {
        try (Lab lab = new Lab(BackingMutant::new)) {
            long before = lab.pages.freePages();
            long page = lab.host.controlPages().allocate(lab.cpu);
            assertThat(lab.pages.usedPages(PageUse.CONTROL)).isEqualTo(1);
            assertThat(lab.pairPages()).isEqualTo(2);
            assertThat(lab.pages.freePages()).isEqualTo(before - 3);
            lab.host.controlPages().free(lab.cpu, page);
            assertThat(lab.pages.freePages()).isEqualTo(before);
            assertThat(lab.audit()).isEmpty();
        }
    }

    @Test
    @DisplayName("R-22: a pair that turns out not to be needed is lost")
    void r22_unusedPair_isFreeAgain() throws Exception {
        killed(
                BackingMutant.R22LosesTheUnusedPair::new,
                lab -> {
                    FaultPool pool = new PairCache(lab.pages, 0, true);
                    pool.topUp(lab.cpu, FaultPool.ROOT_MAX_LEVEL);
                    lab.backing.get(lab.cpu, PFN, pool);
                    lab.backing.get(lab.cpu, PFN + 1, pool);
                    boolean onlyOnePair = lab.pairPages() == 2;
                    lab.put(PFN);
                    lab.put(PFN + 1);
                    pool.drain();
                    return onlyOnePair
                            && lab.pairPages() == 0
                            && lab.pages.usedPages(PageUse.POOL) == 0;
                });
    }

    @Test
    @DisplayName("R-23: a put without get makes the count negative")
    void r23_putWithoutGet_isFound() throws Exception {
        killed(
                BackingMutant.R23LetsTheCountUnderflow::new,
                lab -> {
                    try {
                        lab.put(PFN);
                        return false;
                    } catch (IllegalStateException e) {
                        return true;
                    }
                });
    }

    @ParameterizedTest
    @EnumSource(value = Preset.class, mode = Mode.EXCLUDE, names = "STATIC")
    @DisplayName("nothing allocates under a spinning lock")
    void getPutControlPagesAndTopUp_allocateUnderNoSpinningLock(Preset preset) throws Exception {
        Machine machine = new Machine(Hosts.small());
        ScriptedSeam.loadInto(machine);
        PageAllocator pages = new PageAllocator(machine);
        AtomicInteger asked = new AtomicInteger();
        pages.setGate((use, count) -> {
            asked.incrementAndGet();
            return LockRank.Held.mayReclaim();
        });
        TdxHost host = TdxHost.bringUp(machine, pages, preset.policy(), KernelLog.SILENT);
        HostCpu cpu = host.cpus().claim(0);
        int before = asked.get();
        FaultPool pool = host.newFaultPool(0);
        for (int i = 0; i < 3; i++) {
            pool.topUp(cpu, FaultPool.ROOT_MAX_LEVEL);
            assertThat(host.backing().get(cpu, PFN + i, pool)).isEqualTo(Errno.OK);
        }
        assertThat(host.backing().get(cpu, PFN + 512, host.sleepingPairs(0))).isEqualTo(Errno.OK);
        long page = host.controlPages().allocate(cpu);
        host.controlPages().free(cpu, page);
        for (long pfn : new long[] {PFN, PFN + 1, PFN + 2, PFN + 512}) {
            host.backing().put(cpu, pfn);
        }
        pool.drain();
        assertThat(asked.get()).isGreaterThan(before + 10);
        host.cpus().release(cpu);
        assertThat(HostAuditor.audit(host)).isEmpty();
    }
}
