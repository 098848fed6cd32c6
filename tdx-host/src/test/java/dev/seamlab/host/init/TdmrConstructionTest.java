// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.init;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.mem.PageAllocator;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.machine.PhysicalMemory;
import dev.seamlab.machine.profile.AddressRange;
import dev.seamlab.machine.profile.NumaNode;
import java.util.ArrayList;
import java.util.List;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;

class TdmrConstructionTest {
    private static final PamtSizes SIZES = new PamtSizes(16, 16, 16, 1);
    private static final long MIB = 1L << 20;
    private static final long GIB = 1L << 30;

    private static MemoryBlock block(long start, long end, int node) {
        return new MemoryBlock(start >>> 12, end >>> 12, node);
    }

    @Example
    void memoryList_firstMebibyte_isSkipped() throws TdxInitException {
        MemoryList list =
                MemoryList.of(
                        List.of(
                                new NumaNode(
                                        List.of(
                                                new AddressRange(0x1000, 0xA0000),
                                                new AddressRange(0xF0000, 4 * MIB)))));
        assertThat(list.blocks()).containsExactly(new MemoryBlock(256, 1024, 0));
        assertThat(list.contains(MIB, 4 * MIB)).isTrue();
        assertThat(list.contains(0, 4 * MIB)).isFalse();
    }

    @Example
    void memoryList_nodesInterleaved_isAscending() throws TdxInitException {
        MemoryList list =
                MemoryList.of(
                        List.of(
                                new NumaNode(List.of(new AddressRange(8 * GIB, 9 * GIB))),
                                new NumaNode(List.of(new AddressRange(4 * GIB, 8 * GIB)))));
        assertThat(list.blocks())
                .containsExactly(block(4 * GIB, 8 * GIB, 1), block(8 * GIB, 9 * GIB, 0));
        assertThat(list.maxPfn()).isEqualTo((9 * GIB) >>> 12);
    }

    @Example
    void covering_blockThatBeginsInTheTdmrBefore_startsAtItsEnd() throws TdxInitException {
        List<MemoryBlock> blocks =
                List.of(
                        block(MIB, GIB + MIB, 0),
                        block(GIB + 2 * MIB, GIB + 3 * MIB, 0),
                        block(GIB + 512 * MIB, 5 * GIB, 1));
        assertThat(TdmrRange.covering(blocks, 64))
                .containsExactly(new TdmrRange(0, 2 * GIB), new TdmrRange(2 * GIB, 5 * GIB));
    }

    @Example
    void r49_covering_tooManyTdmrs_isNoSpace() {
        List<MemoryBlock> blocks =
                List.of(
                        block(MIB, 2 * MIB, 0),
                        block(4 * GIB, 5 * GIB, 0),
                        block(8 * GIB, 9 * GIB, 0));
        assertThatThrownBy(() -> TdmrRange.covering(blocks, 2))
                .isInstanceOfSatisfying(
                        TdxInitException.class, e -> assertThat(e.errno()).isEqualTo(Errno.ENOSPC));
    }

    @Example
    void r48_reservedAreas_chunkOfAnotherTdmr_isReservedHere() throws TdxInitException {
        PamtLayout layout = PamtLayout.of(GIB, SIZES, false);
        PamtChunk elsewhere = new PamtChunk(5 * GIB - 2 * MIB, layout);
        assertThat(
                        ReservedArea.of(
                                new TdmrRange(4 * GIB, 5 * GIB),
                                List.of(block(4 * GIB, 9 * GIB, 0)),
                                List.of(elsewhere),
                                16))
                .containsExactly(new ReservedArea(5 * GIB - 2 * MIB, 5 * GIB));
    }

    @Example
    void r48_reservedAreas_tooMany_isNoSpace() {
        List<MemoryBlock> blocks = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            blocks.add(block(4 * MIB * i, 4 * MIB * i + MIB, 0));
        }
        assertThatThrownBy(() -> ReservedArea.of(new TdmrRange(0, GIB), blocks, List.of(), 4))
                .isInstanceOfSatisfying(
                        TdxInitException.class, e -> assertThat(e.errno()).isEqualTo(Errno.ENOSPC));
    }

    @Property(tries = 300)
    void anyMap_tdmrsCoverMemoryAndTheRestIsReserved(
            @ForAll("maps") List<NumaNode> nodes, @ForAll boolean dynamic) throws TdxInitException {
        MemoryList memory = MemoryList.of(nodes);
        List<TdmrRange> ranges = TdmrRange.covering(memory.blocks(), 64);
        PageAllocator pages =
                new PageAllocator(
                        new PhysicalMemory(), nodes.stream().map(NumaNode::memory).toList());
        List<PamtChunk> chunks = new ArrayList<>();
        for (TdmrRange range : ranges) {
            PamtLayout layout = PamtLayout.of(range.size(), SIZES, dynamic);
            long first =
                    pages.allocateRange(
                            range.node(memory.blocks()),
                            layout.total() >>> 12,
                            1,
                            PageUse.PAMT_STATIC);
            if (first == PageAllocator.NONE) {
                return;
            }
            chunks.add(new PamtChunk(first << 12, layout));
        }
        long usable = 0;
        for (int i = 0; i < ranges.size(); i++) {
            TdmrRange tdmr = ranges.get(i);
            assertThat(tdmr.base() % GIB).isZero();
            assertThat(tdmr.size() % GIB).isZero();
            assertThat(tdmr.size()).isPositive();
            if (i > 0) {
                assertThat(tdmr.base()).isGreaterThanOrEqualTo(ranges.get(i - 1).end());
            }
            List<ReservedArea> areas =
                    ReservedArea.of(tdmr, memory.blocks(), chunks, Integer.MAX_VALUE);
            long at = tdmr.base();
            for (ReservedArea area : areas) {
                assertThat(area.start()).isGreaterThanOrEqualTo(at);
                assertThat(area.end()).isGreaterThan(area.start()).isLessThanOrEqualTo(tdmr.end());
                usable += requireMemoryWithoutPamt(memory, chunks, at, area.start());
                at = area.end();
            }
            usable += requireMemoryWithoutPamt(memory, chunks, at, tdmr.end());
        }
        long pamt = chunks.stream().mapToLong(chunk -> chunk.layout().total()).sum();
        assertThat(usable).isEqualTo(memory.bytes() - pamt);
    }

    private static long requireMemoryWithoutPamt(
            MemoryList memory, List<PamtChunk> chunks, long start, long end) {
        if (start == end) {
            return 0;
        }
        long covered = 0;
        for (MemoryBlock block : memory.blocks()) {
            covered += Math.max(0, Math.min(end, block.end()) - Math.max(start, block.start()));
        }
        assertThat(covered).as("unreserved memory that exists").isEqualTo(end - start);
        for (PamtChunk chunk : chunks) {
            assertThat(chunk.base() >= end || chunk.end() <= start).isTrue();
        }
        return end - start;
    }

    @Provide
    Arbitrary<List<NumaNode>> maps() {
        Arbitrary<long[]> pieces =
                Combinators.combine(
                                Arbitraries.longs().between(0, 3000),
                                Arbitraries.longs().between(1, 6000),
                                Arbitraries.longs().between(0, 2))
                        .as((gap, size, node) -> new long[] {gap, size, node});
        return pieces.list().ofMinSize(1).ofMaxSize(12).map(TdmrConstructionTest::nodes);
    }

    private static List<NumaNode> nodes(List<long[]> pieces) {
        List<List<AddressRange>> memory =
                List.of(new ArrayList<>(), new ArrayList<>(), new ArrayList<>());
        // At least one range survives the loss of the first MiB.
        long at = 2 * MIB;
        for (long[] piece : pieces) {
            long start = at + piece[0] * MIB;
            long end = start + piece[1] * MIB + 4096 * (piece[1] % 7);
            memory.get((int) piece[2]).add(new AddressRange(start, end));
            at = end;
        }
        return memory.stream().filter(list -> !list.isEmpty()).map(NumaNode::new).toList();
    }
}
