// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.pamt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.seamlab.host.init.MemoryBlock;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.mem.PageAllocator;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.machine.PhysicalMemory;
import dev.seamlab.machine.profile.AddressRange;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class RefcountsTest {
    /** Frames whose counters share one 4 KiB page: 2 GiB. */
    private static final long FRAMES_PER_PAGE = 1024L * 512;

    private final PageAllocator pages =
            new PageAllocator(
                    new PhysicalMemory(), List.of(List.of(new AddressRange(1L << 20, 64L << 20))));

    private SparseRefcounts sparse(long maxPfn) {
        return new SparseRefcounts(pages, maxPfn);
    }

    private static void assertHole(RangeRefcounts counts, long pfn) {
        assertThatThrownBy(() -> counts.read(pfn))
                .isInstanceOfAny(IllegalStateException.class, IndexOutOfBoundsException.class);
    }

    /** Facts: Linux sheet section 6.1, "refcounts (no holes)". */
    @ParameterizedTest
    @CsvSource({"64, 131072", "256, 524288", "1024, 2097152", "2048, 4194304", "6144, 12582912"})
    void bytes_noHoles_areThoseOfTheSheet(long gib, long bytes) {
        SparseRefcounts sparse = sparse(gib << 18);
        assertThat(sparse.populate(0, gib << 18, 0)).isEqualTo(Errno.OK);
        assertThat(sparse.bytes()).isEqualTo(bytes);
        sparse.release();
        FlatRefcounts flat = new FlatRefcounts(pages, gib << 18);
        assertThat(flat.allocate()).isEqualTo(Errno.OK);
        assertThat(flat.bytes()).isEqualTo(bytes);
        assertThat(pages.usedPages(PageUse.REFCOUNTS)).isEqualTo(bytes / 4096);
        flat.release();
        assertThat(pages.usedPages(PageUse.REFCOUNTS)).isZero();
    }

    /** What a host would pay for the other store is told without having that store. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "0-0x80000",
                "0x100-0x40100",
                "0-1",
                "0x80000-0x80001",
                "0x7FFFF-0x80001",
                "0-0x200 0x200-0x80200 0x80200-0x80400",
                "0x100-0x9FC00 0x300000-0x300001 0x37FFFF-0x400200"
            })
    void bytesFor_memoryBlocks_areThoseThatTheStoresTake(String text) {
        List<MemoryBlock> blocks = new ArrayList<>();
        for (String block : text.split(" ", -1)) {
            String[] ends = block.split("-", -1);
            blocks.add(new MemoryBlock(Long.decode(ends[0]), Long.decode(ends[1]), 0));
        }
        long maxPfn = blocks.getLast().endPfn();
        FlatRefcounts flat = new FlatRefcounts(pages, maxPfn);
        assertThat(flat.allocate()).isEqualTo(Errno.OK);
        assertThat(RangeRefcounts.bytesFor(blocks, false)).isEqualTo(flat.bytes());
        SparseRefcounts sparse = sparse(maxPfn);
        for (MemoryBlock block : blocks) {
            assertThat(sparse.populate(block.startPfn(), block.endPfn(), 0)).isEqualTo(Errno.OK);
        }
        assertThat(RangeRefcounts.bytesFor(blocks, true)).isEqualTo(sparse.bytes());
    }

    @Test
    void heapBytes_areOnlyThoseOfUsedGibs() {
        SparseRefcounts sparse = sparse(64L << 18);
        sparse.populate(0, 64L << 18, 0);
        assertThat(sparse.heapBytes()).isZero();
        sparse.increment(0);
        sparse.increment(511);
        assertThat(sparse.heapBytes()).isEqualTo(32 * 1024 + 64);
        sparse.increment(1L << 18);
        assertThat(sparse.heapBytes()).isEqualTo(2 * (32 * 1024 + 64));
        assertThat(sparse.bytes()).isEqualTo(131_072);
    }

    @Test
    void r01_exclusiveEnd_populatesNoPageBeyond() {
        SparseRefcounts counts = sparse(4 * FRAMES_PER_PAGE);
        counts.populate(0, FRAMES_PER_PAGE, 0);
        assertThat(counts.bytes()).isEqualTo(4096);
        assertHole(counts, FRAMES_PER_PAGE);
        counts.populate(FRAMES_PER_PAGE, FRAMES_PER_PAGE + 1, 0);
        assertThat(counts.bytes()).isEqualTo(8192);
    }

    @Test
    void r02_blockWhoseOnlyCounterBeginsAPage_isPopulated() {
        SparseRefcounts counts = sparse(0x80001);
        counts.populate(0x80000, 0x80001, 0);
        assertThat(counts.bytes()).isEqualTo(4096);
        assertThat(counts.read(0x80000)).isZero();
    }

    @Test
    void r03_lastPartialRange_hasACounter() {
        long maxPfn = (1L << 28) + 1;
        SparseRefcounts counts = sparse(maxPfn);
        counts.populate(maxPfn - 1, maxPfn, 0);
        assertThat(counts.read(maxPfn - 1)).isZero();
        FlatRefcounts flat = new FlatRefcounts(pages, 513);
        flat.allocate();
        assertThat(flat.read(512)).isZero();
        assertThat(flat.bytes()).isEqualTo(4096);
    }

    @Test
    void r04_lastPartialRangeOnAPageOfItsOwn_isFreedToo() {
        long maxPfn = FRAMES_PER_PAGE + 1;
        SparseRefcounts counts = sparse(maxPfn);
        counts.populate(0, maxPfn, 0);
        assertThat(pages.usedPages(PageUse.REFCOUNTS)).isEqualTo(2);
        counts.release();
        assertThat(pages.usedPages(PageUse.REFCOUNTS)).isZero();
    }

    @Test
    void r06_neighboursShareAPage_itIsPopulatedOnceAndKeepsItsCounts() {
        SparseRefcounts counts = sparse(4 * FRAMES_PER_PAGE);
        counts.populate(0, 512, 0);
        counts.set(0, 7);
        counts.populate(512, FRAMES_PER_PAGE + 512, 0);
        assertThat(counts.read(0)).isEqualTo(7);
        assertThat(counts.bytes()).isEqualTo(8192);
        assertThat(pages.usedPages(PageUse.REFCOUNTS)).isEqualTo(2);
    }

    @Test
    void r07_release_afterFailureHalfWayAndWithHoles_freesExactlyWhatWasTaken() {
        SparseRefcounts counts = sparse(100 * FRAMES_PER_PAGE);
        counts.populate(0, 512, 0);
        int[] left = {3};
        pages.setGate((use, count) -> left[0]-- > 0);
        assertThat(counts.populate(50 * FRAMES_PER_PAGE, 60 * FRAMES_PER_PAGE, 0))
                .isEqualTo(Errno.ENOMEM);
        assertThat(counts.bytes()).isEqualTo(4 * 4096);
        counts.release();
        assertThat(pages.usedPages(PageUse.REFCOUNTS)).isZero();
        assertThat(pages.freePages()).isEqualTo(pages.totalPages());
    }

    @Test
    void r08_newCounters_areZero() {
        SparseRefcounts counts = sparse(FRAMES_PER_PAGE);
        counts.populate(0, FRAMES_PER_PAGE, 0);
        for (long pfn = 0; pfn < FRAMES_PER_PAGE; pfn += 512) {
            assertThat(counts.read(pfn)).isZero();
            assertThat(counts.incNotZero(pfn)).isFalse();
        }
    }

    @Test
    void r10_framesOfOneRange_shareACounterAndNeighboursDoNot() {
        SparseRefcounts counts = sparse(FRAMES_PER_PAGE);
        counts.populate(0, FRAMES_PER_PAGE, 0);
        counts.set(512, 3);
        assertThat(counts.read(512 + 511)).isEqualTo(3);
        assertThat(counts.read(511)).isZero();
        assertThat(counts.read(1024)).isZero();
    }

    @Test
    void read_hole_raises() {
        SparseRefcounts counts = sparse(10 * FRAMES_PER_PAGE);
        counts.populate(0, 512, 0);
        counts.populate(9 * FRAMES_PER_PAGE, 10 * FRAMES_PER_PAGE, 0);
        assertHole(counts, 4 * FRAMES_PER_PAGE);
        assertHole(counts, 10 * FRAMES_PER_PAGE);
        assertThatThrownBy(() -> counts.incNotZero(4 * FRAMES_PER_PAGE))
                .hasMessageContaining("no refcount exists");
    }

    @Test
    void decrement_tellsWhatIsLeft() {
        SparseRefcounts counts = sparse(FRAMES_PER_PAGE);
        counts.populate(0, FRAMES_PER_PAGE, 0);
        counts.set(512, 3);
        for (int left = 2; left >= 0; left--) {
            assertThat(counts.decrement(512)).isEqualTo(left);
            assertThat(counts.read(512)).isEqualTo(left);
        }
    }

    @Test
    void decrement_zero_raises_r23() {
        SparseRefcounts counts = sparse(512);
        counts.populate(0, 512, 0);
        assertThatThrownBy(() -> counts.decrement(0)).hasMessageContaining("put without get");
    }

    @Test
    void r47_flat_memoryAtTheTopOf52Bits_failsCleanly() {
        // 8 GiB of counters do not fit into 63 MiB.
        FlatRefcounts flat = new FlatRefcounts(pages, 1L << 40);
        assertThat(flat.allocate()).isEqualTo(Errno.ENOMEM);
        assertThat(flat.bytes()).isZero();
        assertThat(pages.freePages()).isEqualTo(pages.totalPages());
    }

    @Test
    void flat_wholeMemory_leavesNoPageOver() {
        // Fragmented memory: the array is taken in pieces.
        long[] held = new long[8];
        for (int i = 0; i < held.length; i++) {
            held[i] = pages.allocateRange(0, 1999, 2, PageUse.HOST);
            pages.freeRange(held[i], 1990, PageUse.HOST);
        }
        FlatRefcounts flat = new FlatRefcounts(pages, 10_000L * FRAMES_PER_PAGE);
        assertThat(flat.allocate()).isEqualTo(Errno.OK);
        assertThat(flat.bytes()).isEqualTo(10_000L * 4096);
        flat.release();
        assertThat(pages.usedPages(PageUse.REFCOUNTS)).isZero();
    }

    @Test
    void flat_notAllocated_hasNoCounters() {
        assertHole(new FlatRefcounts(pages, FRAMES_PER_PAGE), 0);
    }

    @Test
    void firstFrameBeyond_raises_alsoWhereItsGibIsInUse() {
        SparseRefcounts counts = sparse(1000);
        counts.populate(0, 1000, 0);
        counts.set(999, 1);
        assertHole(counts, 1000);
        assertThat(counts.read(999)).isEqualTo(1);
        // And where the GiB was never used: nothing may appear for a frame that is not there.
        assertHole(sparse(1000), 1000);
    }

    @Test
    void forEachTouched_namesEachRangeByItsFirstFrame() {
        SparseRefcounts counts = sparse(4L << 18);
        counts.populate(0, 4L << 18, 0);
        counts.set(3 * 512 + 5, 7);
        counts.set((2L << 18) + 511 * 512, 9);
        Map<Long, Integer> seen = new HashMap<>();
        counts.forEachTouched((pfn, count) -> {
            if (count != 0) {
                seen.put(pfn, count);
            }
        });
        assertThat(seen).isEqualTo(Map.of(3L * 512, 7, (2L << 18) + 511 * 512, 9));
    }
}
