// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.mem;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.host.Hosts;
import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.cpu.HostCpus;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Machine;
import dev.seamlab.machine.PhysicalMemory;
import dev.seamlab.machine.profile.AddressRange;
import dev.seamlab.machine.profile.Fragmentation;
import dev.seamlab.machine.profile.KeyIdPartition;
import dev.seamlab.machine.profile.MachineProfile;
import dev.seamlab.machine.profile.ModuleProfile;
import dev.seamlab.machine.profile.NumaNode;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

/** Where pages come from: as on a Linux host that has just booted, or has run for a while. */
class PlacementTest {
    private static final long MIB = 1L << 20;
    private static final long GIB = Addresses.GIB;

    private final HostCpus cpus = new HostCpus(new Machine(Hosts.twoPackages()));

    private static PageAllocator allocator(List<AddressRange> memory) {
        return new PageAllocator(new PhysicalMemory(), List.of(memory));
    }

    private static Machine machine(Fragmentation fragmentation, NumaNode... nodes) {
        List<AddressRange> all = new ArrayList<>();
        List.of(nodes).forEach(node -> all.addAll(node.memory()));
        return new Machine(
                new MachineProfile(
                        "placement",
                        "",
                        1,
                        2,
                        46,
                        new KeyIdPartition(6, 31, 32),
                        List.of(nodes),
                        all,
                        ModuleProfile.V1_5_25,
                        false,
                        fragmentation));
    }

    private static AddressRange gibs(long from, long to) {
        return new AddressRange(from * GIB, to * GIB);
    }

    @Test
    void freshHost_singlePagesAscendFromTheFirstByteOfTheZone() {
        PageAllocator pages = allocator(List.of(gibs(4, 6)));
        List<Long> got =
                LongStream.range(0, 3000).mapToObj(i -> pages.allocate(0, PageUse.HOST)).toList();
        assertThat(got)
                .containsExactlyElementsOf(
                        LongStream.range(0, 3000).mapToObj(i -> ((4 * GIB) >>> 12) + i).toList());
    }

    @Test
    void freshHost_aCpusListHandsOutTheSamePagesAsTheZone() {
        PageAllocator pages = allocator(List.of(gibs(4, 6)));
        HostCpu cpu = cpus.claim(0);
        for (long i = 0; i < 3000; i++) {
            assertThat(pages.allocate(cpu, PageUse.HOST)).isEqualTo(((4 * GIB) >>> 12) + i);
        }
        cpus.release(cpu);
    }

    @Test
    void memoryAbove4Gib_goesFirst_andTheRestWhenItIsUsedUp() {
        PageAllocator pages =
                allocator(
                        List.of(
                                new AddressRange(MIB, 2 * MIB),
                                new AddressRange(4 * GIB, 4 * GIB + MIB)));
        for (int i = 0; i < 256; i++) {
            assertThat(pages.allocate(0, PageUse.HOST)).isGreaterThanOrEqualTo((4 * GIB) >>> 12);
        }
        assertThat(pages.allocate(0, PageUse.HOST)).isEqualTo(256);
    }

    @Test
    void freedPage_comesBackFirst_onItsCpu() {
        PageAllocator pages = allocator(List.of(gibs(4, 5)));
        HostCpu cpu = cpus.claim(0);
        long a = pages.allocate(cpu, PageUse.SEPT);
        long b = pages.allocate(cpu, PageUse.SEPT);
        pages.free(cpu, a, PageUse.SEPT);
        pages.free(cpu, b, PageUse.SEPT);
        assertThat(pages.allocate(cpu, PageUse.HOST)).isEqualTo(b);
        assertThat(pages.allocate(cpu, PageUse.HOST)).isEqualTo(a);
        cpus.release(cpu);
    }

    @Test
    void twoCpus_workInBatchesApart_andShareTwoMebibyteRanges() {
        PageAllocator pages = allocator(List.of(gibs(4, 6)));
        HostCpu first = cpus.claim(0);
        long a = pages.allocate(first, PageUse.HOST);
        cpus.release(first);
        HostCpu second = cpus.claim(1);
        long b = pages.allocate(second, PageUse.HOST);
        cpus.release(second);
        assertThat(b - a).isEqualTo(63);
        assertThat(Addresses.rangeOf(a)).isEqualTo(Addresses.rangeOf(b));
    }

    @Test
    void refills_doubleWhileNothingIsFreed_andAreSmallAgainAfterFrees() {
        PageAllocator pages = allocator(List.of(gibs(4, 6)));
        HostCpu cpu = cpus.claim(0);
        assertThat(refills(pages, cpu, 8))
                .containsExactly(63, 126, 252, 504, 1008, 2016, 2016, 2016);
        long last = pages.allocate(cpu, PageUse.HOST);
        for (int i = 0; i < 3; i++) {
            pages.free(cpu, last, PageUse.HOST);
            last = pages.allocate(cpu, PageUse.HOST);
        }
        pages.drain(cpu);
        assertThat(refills(pages, cpu, 3)).containsExactly(63, 126, 252);
        cpus.release(cpu);
    }

    @Test
    void refills_ofAllCpusOfANode_leaveMostOfItsMemoryToOthers() {
        assertThat(CpuPages.highFor((64L << 30) >>> 12, 64)).isEqualTo(33 * 63);
        assertThat(CpuPages.highFor(GIB >>> 12, 64)).isEqualTo(512);
        assertThat(CpuPages.highFor(65536, 64)).isEqualTo(128);
        assertThat(CpuPages.highFor(65536, 4096)).isEqualTo(4 * 15);
        assertThat(CpuPages.highFor(0, 1)).isEqualTo(4);
    }

    /** Pages that leave the zones with each refill of a list that begins empty. */
    private static List<Integer> refills(PageAllocator pages, HostCpu cpu, int number) {
        List<Integer> sizes = new ArrayList<>();
        while (sizes.size() < number) {
            long before = pagesInBlocks(pages);
            pages.allocate(cpu, PageUse.HOST);
            int moved = (int) (before - pagesInBlocks(pages));
            sizes.add(moved);
            for (int i = 1; i < moved; i++) {
                pages.allocate(cpu, PageUse.HOST);
            }
        }
        return sizes;
    }

    private static long pagesInBlocks(PageAllocator pages) {
        long[] blocks = pages.freeBlocks();
        long sum = 0;
        for (int order = 0; order < blocks.length; order++) {
            sum += blocks[order] << order;
        }
        return sum;
    }

    @Test
    void batch_isTheKernels() {
        assertThat(CpuPages.batchFor((64L << 30) >>> 12)).isEqualTo(63);
        assertThat(CpuPages.batchFor(GIB >>> 12)).isEqualTo(63);
        assertThat(CpuPages.batchFor(65536)).isEqualTo(15);
        assertThat(CpuPages.batchFor(0)).isEqualTo(1);
    }

    @Test
    void blocks_splitFromTheSmallestThatFits_andMergeAgain() {
        PageAllocator pages = allocator(List.of(new AddressRange(4 * GIB, 4 * GIB + 8 * MIB)));
        assertThat(pages.freeBlocks()).containsExactly(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2);
        long page = pages.allocate(0, PageUse.HOST);
        assertThat(pages.freeBlocks()).containsExactly(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1);
        long huge = pages.allocateRange(0, 512, 512, PageUse.GUEST_PRIVATE);
        assertThat(huge).isEqualTo(page + 512);
        assertThat(pages.freeBlocks()).containsExactly(1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1);
        pages.free(page, PageUse.HOST);
        pages.freeRange(huge, 512, PageUse.GUEST_PRIVATE);
        assertThat(pages.freeBlocks()).containsExactly(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2);
        pages.check((pfn, what) -> assertThat(what).isNull());
    }

    @Test
    void contiguousRange_startsWhereTheKernelWouldLook() {
        PageAllocator pages = allocator(List.of(gibs(4, 8)));
        // ALIGN(0x100000, 1027) with the kernel's macro, then steps of 1027.
        assertThat(pages.allocateRange(0, 1027, 1, PageUse.PAMT_STATIC)).isEqualTo(0x100000);
        assertThat(pages.allocateRange(0, 1027, 1, PageUse.PAMT_STATIC)).isEqualTo(0x100000 + 1027);
        assertThat(pages.allocateRange(0, 3000, 1, PageUse.PAMT_STATIC))
                .isEqualTo(((0x100000L + 2999) & ~2999L) + 3000);
    }

    @Test
    void nearestNodeGoesFirst() {
        NumaNode zero = new NumaNode(List.of(gibs(4, 5)), List.of(10, 31, 21));
        NumaNode one = new NumaNode(List.of(gibs(5, 6)), List.of(31, 10, 21));
        NumaNode two = new NumaNode(List.of(gibs(6, 7)), List.of(21, 21, 10));
        PageAllocator pages = new PageAllocator(machine(Fragmentation.NONE, zero, one, two));
        long perNode = GIB >>> 12;
        assertThat(pages.allocateRange(0, perNode, 1, PageUse.HOST)).isEqualTo(4 * perNode);
        assertThat(pages.allocate(0, PageUse.HOST)).isEqualTo(6 * perNode);
        assertThat(pages.allocateRange(0, perNode, 1, PageUse.HOST)).isEqualTo(5 * perNode);
        assertThat(pages.allocate(1, PageUse.HOST)).isEqualTo(6 * perNode + 1);
    }

    @Test
    void equalDistances_theNextNodeGoesBeforeTheOneBefore() {
        List<NumaNode> nodes = new ArrayList<>();
        for (int n = 0; n < 3; n++) {
            nodes.add(new NumaNode(List.of(gibs(4 + n, 5 + n))));
        }
        PageAllocator pages =
                new PageAllocator(machine(Fragmentation.NONE, nodes.toArray(NumaNode[]::new)));
        long perNode = GIB >>> 12;
        assertThat(pages.allocateRange(1, perNode, 1, PageUse.HOST)).isEqualTo(5 * perNode);
        assertThat(pages.allocateRange(1, perNode, 1, PageUse.HOST)).isEqualTo(6 * perNode);
        assertThat(pages.allocateRange(1, perNode, 1, PageUse.HOST)).isEqualTo(4 * perNode);
    }

    @Test
    void pageOfAnotherNode_goesBackThere() {
        PageAllocator pages =
                new PageAllocator(
                        new PhysicalMemory(), List.of(List.of(gibs(4, 5)), List.of(gibs(5, 6))));
        HostCpu cpu = cpus.claim(0);
        long far = pages.allocate(1, PageUse.HOST);
        pages.free(cpu, far, PageUse.HOST);
        assertThat(pages.allocate(cpu, PageUse.HOST)).isEqualTo((4 * GIB) >>> 12);
        assertThat(pages.freePages(1)).isEqualTo(GIB >>> 12);
        cpus.release(cpu);
    }

    @Test
    void hostRunsDry_thePagesOfIdleCpusAreUsedToo() {
        PageAllocator pages = allocator(List.of(new AddressRange(4 * GIB, 4 * GIB + MIB)));
        HostCpu other = cpus.claim(0);
        pages.free(other, pages.allocate(other, PageUse.HOST), PageUse.HOST);
        cpus.release(other);
        HostCpu cpu = cpus.claim(1);
        Set<Long> got = new HashSet<>();
        for (int i = 0; i < 256; i++) {
            got.add(pages.allocate(cpu, PageUse.HOST));
        }
        assertThat(got).hasSize(256).doesNotContain(PageAllocator.NONE);
        assertThat(pages.allocate(cpu, PageUse.HOST)).isEqualTo(PageAllocator.NONE);
        assertThat(pages.freePages()).isZero();
        cpus.release(cpu);
    }

    @Test
    void longListOfACpu_givesItsOldestPagesBackAndKeepsTheBooks() {
        PageAllocator pages = allocator(List.of(gibs(4, 5)));
        HostCpu cpu = cpus.claim(0);
        List<Long> taken = new ArrayList<>();
        for (int i = 0; i < 5000; i++) {
            taken.add(pages.allocate(cpu, PageUse.GUEST_PRIVATE));
        }
        assertThat(pages.usedPages(PageUse.GUEST_PRIVATE)).isEqualTo(5000);
        taken.forEach(pfn -> pages.free(cpu, pfn, PageUse.GUEST_PRIVATE));
        assertThat(pages.usedPages(PageUse.GUEST_PRIVATE)).isZero();
        assertThat(pages.freePages()).isEqualTo(pages.totalPages());
        assertThat(pages.allocate(cpu, PageUse.HOST)).isEqualTo(taken.getLast());
        pages.check((pfn, what) -> assertThat(what).isNull());
        pages.drain(cpu);
        pages.check((pfn, what) -> assertThat(what).isNull());
        cpus.release(cpu);
    }

    @Test
    void fragmentation_sameSeed_samePages_otherSeed_others() {
        List<Long> first = hundredThousandth(new Fragmentation(1, 100, 40, List.of(6, 3, 1)));
        assertThat(hundredThousandth(new Fragmentation(1, 100, 40, List.of(6, 3, 1))))
                .isEqualTo(first);
        assertThat(hundredThousandth(new Fragmentation(2, 100, 40, List.of(6, 3, 1))))
                .isNotEqualTo(first);
    }

    private static List<Long> hundredThousandth(Fragmentation fragmentation) {
        PageAllocator pages =
                new PageAllocator(machine(fragmentation, new NumaNode(List.of(gibs(4, 8)))));
        List<Long> got = new ArrayList<>();
        for (int i = 0; i < 100_000; i++) {
            got.add(pages.allocate(0, PageUse.GUEST_PRIVATE));
        }
        pages.check((pfn, what) -> assertThat(what).isNull());
        return got;
    }

    @Test
    void fragmentation_countsItsPages_andLeavesTheRestInOnePiece() {
        Fragmentation half = new Fragmentation(3, 50, 25, List.of(1));
        PageAllocator pages = new PageAllocator(machine(half, new NumaNode(List.of(gibs(4, 8)))));
        long gib = GIB >>> 12;
        assertThat(pages.usedPages(PageUse.RESIDENT)).isEqualTo(2 * gib / 4);
        assertThat(pages.freePages()).isEqualTo(4 * gib - 2 * gib / 4);
        pages.check((pfn, what) -> assertThat(what).isNull());
        assertThat(pages.allocateRange(0, 2 * gib, 1, PageUse.PAMT_STATIC)).isEqualTo(6 * gib);
        assertThat(pages.allocateRange(0, 3000, 1, PageUse.PAMT_STATIC))
                .isEqualTo(PageAllocator.NONE);
        assertThat(pages.freeBlocks()[10]).isZero();
        pages.check((pfn, what) -> assertThat(what).isNull());
        assertThat(pages.usedPages(PageUse.RESIDENT)).isEqualTo(2 * gib / 4);
    }

    @Test
    void fragmentation_makesTheSamePagesNeedMorePagePairs() {
        Set<Integer> fresh = ranges(Fragmentation.NONE);
        Set<Integer> scattered = ranges(new Fragmentation(5, 100, 75, List.of(1)));
        assertThat(fresh).hasSize(20);
        // A quarter of each range is free, and the smallest blocks go first, wherever they are.
        assertThat(scattered).hasSizeGreaterThanOrEqualTo(80);
    }

    private static Set<Integer> ranges(Fragmentation fragmentation) {
        PageAllocator pages =
                new PageAllocator(machine(fragmentation, new NumaNode(List.of(gibs(4, 8)))));
        Set<Integer> ranges = new HashSet<>();
        for (int i = 0; i < 20 * 512; i++) {
            ranges.add(Addresses.rangeOf(pages.allocate(0, PageUse.GUEST_PRIVATE)));
        }
        return ranges;
    }
}
