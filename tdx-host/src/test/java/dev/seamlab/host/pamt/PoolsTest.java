// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.pamt;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.host.HostAuditor;
import dev.seamlab.host.Hosts;
import dev.seamlab.host.Preset;
import dev.seamlab.host.ScriptedSeam;
import dev.seamlab.host.TdxHost;
import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.kernel.KernelLog;
import dev.seamlab.host.mem.PageAllocator;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.machine.Machine;
import dev.seamlab.machine.PhysicalMemory;
import dev.seamlab.machine.profile.AddressRange;
import java.util.List;
import org.junit.jupiter.api.Test;

class PoolsTest {
    private final PageAllocator pages =
            new PageAllocator(
                    new PhysicalMemory(), List.of(List.of(new AddressRange(1L << 20, 2L << 20))));
    private final long[] pair = new long[2];

    @Test
    void mixedPool_dynamic_holdsFifteenPagesForFiveTables() {
        MixedPool pool = new MixedPool(pages, 0, true);
        assertThat(pool.topUp(5)).isEqualTo(Errno.OK);
        assertThat(pool.held()).isEqualTo(15);
        assertThat(pages.usedPages(PageUse.POOL)).isEqualTo(15);
        pool.topUp(5);
        assertThat(pool.held()).isEqualTo(15);
        pool.drain();
        assertThat(pages.freePages()).isEqualTo(pages.totalPages());
    }

    @Test
    void mixedPool_static_holdsTheTablesOnly() {
        MixedPool pool = new MixedPool(pages, 0, false);
        pool.topUp(5);
        assertThat(pool.held()).isEqualTo(5);
        pool.drain();
    }

    @Test
    void mixedPool_toppedUp_servesOneWholeFaultWithoutTheAllocator() {
        MixedPool pool = new MixedPool(pages, 0, true);
        pool.topUp(5);
        pages.setGate((use, count) -> false);
        for (int i = 0; i < 4; i++) {
            assertThat(pool.takeSeptPage()).isNotEqualTo(PageAllocator.NONE);
        }
        for (int i = 0; i < 5; i++) {
            assertThat(pool.take(pair)).isTrue();
        }
        assertThat(pool.fallbacks()).isZero();
        assertThat(pages.usedPages(PageUse.SEPT)).isEqualTo(4);
        assertThat(pages.usedPages(PageUse.PAMT_PAIR)).isEqualTo(10);
    }

    @Test
    void mixedPool_empty_septPageComesFromTheAllocatorAndAPairNotAtAll() {
        MixedPool pool = new MixedPool(pages, 0, true);
        assertThat(pool.takeSeptPage()).isNotEqualTo(PageAllocator.NONE);
        assertThat(pool.fallbacks()).isEqualTo(1);
        assertThat(pool.take(pair)).isFalse();
        assertThat(pages.usedPages(PageUse.PAMT_PAIR)).isZero();
    }

    @Test
    void r12_onePageForAPair_isGivenBack() {
        MixedPool pool = new MixedPool(pages, 0, true);
        int[] left = {1};
        pages.setGate((use, count) -> left[0]-- > 0);
        assertThat(pool.topUp(5)).isEqualTo(Errno.ENOMEM);
        assertThat(pool.held()).isEqualTo(1);
        assertThat(pool.take(pair)).isFalse();
        assertThat(pages.freePages()).isEqualTo(pages.totalPages());
        left[0] = 1;
        assertThat(new AllocatorPairs(pages, 0).take(pair)).isFalse();
        assertThat(pages.freePages()).isEqualTo(pages.totalPages());
    }

    @Test
    void pairCache_holdsTenPamtPagesAndHasNoFallback() {
        PairCache cache = new PairCache(pages, 0, true);
        assertThat(cache.takeSeptPage()).isEqualTo(PageAllocator.NONE);
        assertThat(cache.topUp(5)).isEqualTo(Errno.OK);
        assertThat(cache.held()).isEqualTo(15);
        for (int i = 0; i < 5; i++) {
            assertThat(cache.take(pair)).isTrue();
        }
        assertThat(cache.take(pair)).isFalse();
        for (int i = 0; i < 5; i++) {
            assertThat(cache.takeSeptPage()).isNotEqualTo(PageAllocator.NONE);
        }
        assertThat(cache.takeSeptPage()).isEqualTo(PageAllocator.NONE);
    }

    @Test
    void septPages_fromThePoolAndFromTheFallback_areTheAllocatorsPages() {
        MixedPool pool = new MixedPool(pages, 0, false);
        pool.topUp(1);
        long pooled = pool.takeSeptPage();
        long fallback = pool.takeSeptPage();
        assertThat(pages.usedPages(PageUse.SEPT)).isEqualTo(2);
        pages.free(pooled, PageUse.SEPT);
        pages.free(fallback, PageUse.SEPT);
        assertThat(pages.freePages()).isEqualTo(pages.totalPages());
    }

    @Test
    void topUp_onACpu_memoryRunsOut_isEnomemAndTheRestStaysInThePool() throws Exception {
        Machine machine = new Machine(Hosts.small());
        ScriptedSeam.loadInto(machine);
        TdxHost host = TdxHost.bringUp(machine, Preset.V4.policy(), KernelLog.SILENT);
        HostCpu cpu = host.cpus().claim(0);
        for (int allowed = 0; allowed < 15; allowed++) {
            for (FaultPool pool :
                    List.of(
                            new MixedPool(host.pages(), 0, true),
                            new PairCache(host.pages(), 0, true))) {
                int[] left = {allowed};
                host.pages().setGate((use, count) -> left[0]-- > 0);
                assertThat(pool.topUp(cpu, 5)).as("%s allowed", allowed).isEqualTo(Errno.ENOMEM);
                assertThat(pool.held()).isEqualTo(allowed);
                left[0] = allowed;
                assertThat(pool.topUp(5)).isEqualTo(allowed < 8 ? Errno.ENOMEM : Errno.OK);
                pool.drain();
            }
        }
        assertThat(host.pages().usedPages(PageUse.POOL)).isZero();
        host.cpus().release(cpu);
        assertThat(HostAuditor.audit(host)).isEmpty();
    }

    @Test
    void r18_pageFromTheModule_isOverwrittenOnlyWhereTheErratumWantsIt() {
        PhysicalMemory memory = new PhysicalMemory();
        for (boolean erratum : new boolean[] {false, true}) {
            memory.writeLong(0x5FF8, 42);
            new PageReset(memory, erratum).reset(5);
            assertThat(memory.readLong(0x5FF8)).isEqualTo(erratum ? 0 : 42);
        }
    }
}
