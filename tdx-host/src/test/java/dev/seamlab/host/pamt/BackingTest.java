// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.pamt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.seamlab.host.HostAuditor;
import dev.seamlab.host.Hosts;
import dev.seamlab.host.Preset;
import dev.seamlab.host.ScriptedSeam;
import dev.seamlab.host.TdxHost;
import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.init.TdxInitException;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.kernel.KernelLog;
import dev.seamlab.host.mem.PageAllocator;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.machine.Machine;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.StatusCode;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.EnumSource.Mode;

/** All variants against the emulated module. */
class BackingTest {
    private final List<String> log = new ArrayList<>();

    /** A host, its module, and a claimed CPU. */
    private final class Lab implements AutoCloseable {
        final ScriptedSeam seam;
        final TdxHost host;
        final HostCpu cpu;
        final PamtBacking backing;
        final RangeRefcounts counts;
        final PageAllocator pages;

        Lab(Preset preset) throws TdxInitException {
            Machine machine = new Machine(Hosts.small());
            seam = ScriptedSeam.loadInto(machine);
            host = TdxHost.bringUp(machine, preset.policy(), log::add);
            backing = host.backing();
            counts = host.refcounts().orElseThrow();
            pages = host.pages();
            log.clear();
            cpu = host.cpus().claim(0);
        }

        int get(long pfn) {
            return backing.get(cpu, pfn, host.sleepingPairs(0));
        }

        void put(long pfn) {
            backing.put(cpu, pfn);
        }

        long pairs() {
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

    /** A frame in the middle of the small machine's memory, first of its range. */
    private static final long PFN = 64 * 512;

    @ParameterizedTest
    @EnumSource(value = Preset.class, mode = Mode.EXCLUDE, names = "STATIC")
    void r11_getsAndPutsOfOneRange_installOnePairAndTakeItBack(Preset preset) throws Exception {
        try (Lab lab = new Lab(preset)) {
            for (int i = 0; i < 5; i++) {
                assertThat(lab.get(PFN + i * 100L)).isEqualTo(Errno.OK);
                assertThat(lab.counts.read(PFN)).isEqualTo(i + 1);
            }
            assertThat(lab.seam.calls(Leaf.PHYMEM_PAMT_ADD)).isEqualTo(1);
            assertThat(lab.pairs()).isEqualTo(2);
            assertThat(lab.host.memoryReport().pamtDynamicBytes()).isEqualTo(8192);
            for (int i = 0; i < 5; i++) {
                assertThat(lab.seam.calls(Leaf.PHYMEM_PAMT_REMOVE)).isZero();
                lab.put(PFN + i);
            }
            assertThat(lab.seam.calls(Leaf.PHYMEM_PAMT_REMOVE)).isEqualTo(1);
            assertThat(lab.counts.read(PFN)).isZero();
            assertThat(lab.pairs()).isZero();
            assertThat(lab.audit()).isEmpty();
            assertThat(log).isEmpty();
        }
    }

    @Test
    void get_rangeThatHasItsPair_asksNeitherModuleNorAllocator() throws Exception {
        try (Lab lab = new Lab(Preset.V4)) {
            lab.get(PFN);
            int before = lab.seam.total();
            lab.pages.setGate((use, pages) -> false);
            assertThat(lab.get(PFN + 1)).isEqualTo(Errno.OK);
            lab.put(PFN + 1);
            assertThat(lab.seam.total()).isEqualTo(before);
            lab.put(PFN);
        }
    }

    @ParameterizedTest
    @EnumSource(value = Preset.class, mode = Mode.EXCLUDE, names = "STATIC")
    void get_noMemory_changesNothing(Preset preset) throws Exception {
        try (Lab lab = new Lab(preset)) {
            for (int allowed = 0; allowed < 2; allowed++) {
                int[] left = {allowed};
                lab.pages.setGate((use, pages) -> left[0]-- > 0);
                assertThat(lab.get(PFN)).isEqualTo(Errno.ENOMEM);
                assertThat(lab.counts.read(PFN)).isZero();
                assertThat(lab.pairs()).isZero();
            }
            assertThat(lab.seam.calls(Leaf.PHYMEM_PAMT_ADD)).isZero();
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"V4", "V6", "MERGED"})
    void r13_addFails_isAnErrorAndThePairIsFree(Preset preset) throws Exception {
        try (Lab lab = new Lab(preset)) {
            lab.seam.refuseNext(Leaf.PHYMEM_PAMT_ADD, StatusCode.OPERAND_BUSY.with(Operand.RCX));
            assertThat(lab.get(PFN)).isEqualTo(Errno.EIO);
            assertThat(lab.counts.read(PFN)).isZero();
            assertThat(lab.pairs()).isZero();
            assertThat(log).singleElement().asString().contains("TDH.PHYMEM.PAMT.ADD");
            assertThat(lab.get(PFN)).isEqualTo(Errno.OK);
            lab.put(PFN);
            assertThat(lab.audit()).isEmpty();
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"V4_BASE", "V4_AS_POSTED"})
    void r13_addFails_asPosted_saysSuccessWithoutBacking(Preset preset) throws Exception {
        try (Lab lab = new Lab(preset)) {
            lab.seam.refuseNext(Leaf.PHYMEM_PAMT_ADD, StatusCode.OPERAND_BUSY.with(Operand.RCX));
            assertThat(lab.get(PFN)).isEqualTo(Errno.OK);
            assertThat(lab.counts.read(PFN)).isZero();
            assertThat(lab.pairs()).isZero();
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"V4", "V6", "MERGED"})
    void r17_rangeNotFree_isAnError(Preset preset) throws Exception {
        try (Lab lab = new Lab(preset)) {
            lab.seam.refuseNext(
                    Leaf.PHYMEM_PAMT_ADD, StatusCode.HPA_RANGE_NOT_FREE.with(Operand.RCX));
            assertThat(lab.get(PFN)).isEqualTo(Errno.EIO);
            assertThat(lab.counts.read(PFN)).isZero();
            assertThat(lab.audit()).isEmpty();
        }
    }

    @Test
    void r17_rangeNotFree_asPosted_countsWithoutBacking() throws Exception {
        try (Lab lab = new Lab(Preset.V4_AS_POSTED)) {
            lab.seam.refuseNext(
                    Leaf.PHYMEM_PAMT_ADD, StatusCode.HPA_RANGE_NOT_FREE.with(Operand.RCX));
            assertThat(lab.get(PFN)).isEqualTo(Errno.OK);
            assertThat(lab.counts.read(PFN)).isEqualTo(1);
            assertThat(lab.audit())
                    .contains(
                            "the refcount of 0x0000_0000_0800_0000 is 1, but the range has no page"
                                    + " pair");
        }
    }

    @ParameterizedTest
    @EnumSource(value = Preset.class, mode = Mode.EXCLUDE, names = "STATIC")
    void r19_removeFails_thePairLeaksAndTheCountStaysOne(Preset preset) throws Exception {
        try (Lab lab = new Lab(preset)) {
            lab.get(PFN);
            lab.seam.refuseNext(Leaf.PHYMEM_PAMT_REMOVE, StatusCode.OPERAND_BUSY.with(Operand.RCX));
            lab.put(PFN);
            assertThat(lab.counts.read(PFN)).isEqualTo(1);
            assertThat(lab.pairs()).isEqualTo(2);
            assertThat(log).singleElement().asString().contains("TDH.PHYMEM.PAMT.REMOVE");
            // The auditor knows of it, because the host does.
            assertThat(lab.audit()).isEmpty();
            // The range works on: another user comes and goes, and then the pair goes too.
            assertThat(lab.get(PFN)).isEqualTo(Errno.OK);
            lab.put(PFN);
            lab.put(PFN);
            assertThat(lab.pairs()).isZero();
            assertThat(lab.audit()).isEmpty();
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"V4", "V4_AS_POSTED", "V6", "MERGED"})
    void r23_putWithoutGet_raises(Preset preset) throws Exception {
        try (Lab lab = new Lab(preset)) {
            assertThatThrownBy(() -> lab.put(PFN))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("put without get");
        }
    }

    @Test
    void get_frameWithoutRefcount_raises() throws Exception {
        try (Lab lab = new Lab(Preset.V4)) {
            assertThatThrownBy(() -> lab.get(1L << 30)).isInstanceOf(RuntimeException.class);
        }
    }

    @Test
    void get_fromAPool_takesThePairFromThere() throws Exception {
        try (Lab lab = new Lab(Preset.V4)) {
            FaultPool pool = lab.host.newFaultPool(0);
            pool.topUp(FaultPool.ROOT_MAX_LEVEL);
            assertThat(pool.held()).isEqualTo(15);
            assertThat(lab.backing.get(lab.cpu, PFN, pool)).isEqualTo(Errno.OK);
            assertThat(pool.held()).isEqualTo(13);
            lab.put(PFN);
            assertThat(pool.held()).isEqualTo(13);
            pool.drain();
            assertThat(lab.pages.usedPages(PageUse.POOL)).isZero();
            assertThat(lab.audit()).isEmpty();
        }
    }

    @Test
    void merged_getOfABackedRange_consumesAPairFromThePool() throws Exception {
        try (Lab lab = new Lab(Preset.MERGED)) {
            FaultPool pool = lab.host.newFaultPool(0);
            pool.topUp(FaultPool.ROOT_MAX_LEVEL);
            lab.backing.get(lab.cpu, PFN, pool);
            lab.backing.get(lab.cpu, PFN, pool);
            assertThat(pool.held()).isEqualTo(11);
            assertThat(lab.pairs()).isEqualTo(2);
            lab.put(PFN);
            lab.put(PFN);
            pool.drain();
        }
    }

    /** I6: losing a race is success. The other get comes between this one's look and its lock. */
    @ParameterizedTest
    @EnumSource(value = Preset.class, mode = Mode.EXCLUDE, names = "STATIC")
    void get_overtakenWhileItAllocates_countsAndGivesItsPairBack(Preset preset) throws Exception {
        try (Lab lab = new Lab(preset)) {
            PairSource overtaken =
                    pair -> {
                        assertThat(lab.get(PFN + 1)).isEqualTo(Errno.OK);
                        return lab.host.sleepingPairs(0).take(pair);
                    };
            assertThat(lab.backing.get(lab.cpu, PFN, overtaken)).isEqualTo(Errno.OK);
            assertThat(lab.counts.read(PFN)).isEqualTo(2);
            assertThat(lab.seam.calls(Leaf.PHYMEM_PAMT_ADD)).isEqualTo(1);
            assertThat(lab.pairs()).isEqualTo(2);
            lab.put(PFN);
            assertThat(lab.pairs()).isEqualTo(2);
            lab.put(PFN);
            assertThat(lab.pairs()).isZero();
            assertThat(lab.audit()).isEmpty();
        }
    }

    @Test
    void controlPages_noMemory_answerNone() throws Exception {
        try (Lab lab = new Lab(Preset.V4)) {
            lab.pages.setGate((use, pages) -> use != PageUse.CONTROL);
            assertThat(lab.host.controlPages().allocate(lab.cpu)).isEqualTo(PageAllocator.NONE);
            assertThat(lab.pairs()).isZero();
            assertThat(lab.seam.calls(Leaf.PHYMEM_PAMT_ADD)).isZero();
        }
    }

    @Test
    void controlPages_haveBackingUntilFreed() throws Exception {
        try (Lab lab = new Lab(Preset.V4)) {
            long first = lab.host.controlPages().allocate(lab.cpu);
            long second = lab.host.controlPages().allocate(lab.cpu);
            assertThat(lab.pages.useOf(first)).isEqualTo(PageUse.CONTROL);
            assertThat(lab.counts.read(first)).isEqualTo(2);
            lab.host.controlPages().free(lab.cpu, second);
            lab.host.controlPages().free(lab.cpu, first);
            lab.host.controlPages().free(lab.cpu, PageAllocator.NONE);
            assertThat(lab.pages.usedPages(PageUse.CONTROL)).isZero();
            assertThat(lab.audit()).isEmpty();
        }
    }

    @Test
    void controlPages_noBacking_giveThePageBack() throws Exception {
        try (Lab lab = new Lab(Preset.V4)) {
            lab.pages.setGate((use, pages) -> use != PageUse.PAMT_PAIR);
            assertThat(lab.host.controlPages().allocate(lab.cpu)).isEqualTo(PageAllocator.NONE);
            assertThat(lab.pages.usedPages(PageUse.CONTROL)).isZero();
            assertThat(lab.audit()).isEmpty();
        }
    }

    @Test
    void static_getAndPut_doNothing() throws Exception {
        Machine machine = new Machine(Hosts.small());
        ScriptedSeam seam = ScriptedSeam.loadInto(machine);
        TdxHost host = TdxHost.bringUp(machine, Preset.STATIC.policy(), KernelLog.SILENT);
        HostCpu cpu = host.cpus().claim(0);
        int before = seam.total();
        assertThat(host.backing().get(cpu, PFN, host.sleepingPairs(0))).isEqualTo(Errno.OK);
        host.backing().put(cpu, PFN);
        host.backing().put(cpu, PFN);
        assertThat(seam.total()).isEqualTo(before);
        host.cpus().release(cpu);
    }

    @Test
    void auditor_pairBehindTheHostsBack_isFound() throws Exception {
        try (Lab lab = new Lab(Preset.V4)) {
            lab.get(PFN + 512);
            lab.put(PFN + 512);
            long a = lab.pages.allocate(0, PageUse.HOST);
            long b = lab.pages.allocate(0, PageUse.HOST);
            assertThat(lab.host.tdh().phymem().pamtAdd(lab.cpu, PFN, a, b)).isZero();
            assertThat(lab.audit())
                    .contains(
                            "the refcount of 0x0000_0000_0800_0000 is 0, but the range has a page"
                                    + " pair")
                    .anyMatch(finding -> finding.contains("and the host does not know"));
        }
    }

    @Test
    void auditor_pageOfTheModuleThatTheHostThinksItsOwn_isFound() throws Exception {
        try (Lab lab = new Lab(Preset.V4)) {
            long tdr = lab.host.controlPages().allocate(lab.cpu);
            assertThat(
                            lab.host
                                    .tdh()
                                    .mng()
                                    .create(lab.cpu, tdr << 12, lab.host.keyIds().allocate()))
                    .isZero();
            assertThat(lab.audit()).isEmpty();
            lab.pages.retag(tdr, PageUse.CONTROL, PageUse.BUFFER);
            assertThat(lab.audit())
                    .singleElement()
                    .asString()
                    .endsWith("is BUFFER to the host and TDR to the module");
            lab.counts.increment(tdr);
            assertThat(lab.audit()).hasSize(2);
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"V4", "V4_BASE", "V6", "MERGED"})
    void twoThreadsOnFewRanges_endWithNothingInstalled(Preset preset) throws Exception {
        Machine machine = new Machine(Hosts.small());
        ScriptedSeam seam = ScriptedSeam.loadInto(machine);
        TdxHost host = TdxHost.bringUp(machine, preset.policy(), log::add);
        machine.load(seam.module());
        log.clear();
        List<Thread> threads = new ArrayList<>();
        List<Throwable> failures = new ArrayList<>();
        for (int t = 0; t < 2; t++) {
            int self = t;
            threads.add(
                    Thread.ofPlatform()
                            .uncaughtExceptionHandler((thread, e) -> {
                                synchronized (failures) {
                                    failures.add(e);
                                }
                            })
                            .start(() -> getAndPut(host, self)));
        }
        for (Thread thread : threads) {
            thread.join();
        }
        assertThat(failures).isEmpty();
        assertThat(log).isEmpty();
        assertThat(host.pages().usedPages(PageUse.PAMT_PAIR)).isZero();
        assertThat(HostAuditor.audit(host)).isEmpty();
    }

    private static void getAndPut(TdxHost host, int seed) {
        Random random = new Random(seed);
        HostCpu cpu = host.cpus().claim(seed);
        int[] held = new int[3];
        for (int i = 0; i < 20_000; i++) {
            int range = random.nextInt(held.length);
            long pfn = PFN + 512L * range;
            if (held[range] > 0 && random.nextBoolean()) {
                host.backing().put(cpu, pfn);
                held[range]--;
            } else if (host.backing().get(cpu, pfn, host.sleepingPairs(0)) == Errno.OK) {
                held[range]++;
            } else {
                throw new AssertionError("get failed");
            }
        }
        for (int range = 0; range < held.length; range++) {
            while (held[range]-- > 0) {
                host.backing().put(cpu, PFN + 512L * range);
            }
        }
        host.cpus().release(cpu);
    }
}
