// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.mem;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Pfn;
import dev.seamlab.machine.PhysicalMemory;
import dev.seamlab.machine.profile.AddressRange;
import dev.seamlab.machine.sched.LockRank;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/**
 * Hands out the host's RAM: single pages and contiguous ranges, from the wanted NUMA node first,
 * with exact books of what is used for what.
 *
 * <p>The first MiB is not managed, as the kernel keeps it for real-mode code; so all pages of this
 * allocator are TDX memory, which TDX on Linux relies on (facts: Linux sheet section 2.3).
 *
 * <p>Freeing a page that is free, or that has another use than the caller says, is a bug of ours
 * and raises. What a freed page held is undefined; the model forgets it, which gives the emulator
 * its storage back.
 */
public final class PageAllocator {
    /** Answer where there is no page. */
    public static final @Pfn long NONE = -1;

    /** Memory below this address is not handed out. */
    public static final long FIRST_BYTE = 1L << 20;

    private final PhysicalMemory memory;
    private final NodePages[] nodes;
    private final long totalPages;
    private volatile AllocationGate gate = AllocationGate.OPEN;

    /** Receives one page. */
    @FunctionalInterface
    public interface PageVisitor {
        /**
         * Looks at a page.
         *
         * @param use what it is used for; null where it is free
         */
        void page(@Pfn long pfn, @Nullable PageUse use);
    }

    /**
     * @param memory contents of the RAM
     * @param ramOfNodes RAM of each node, page aligned and disjoint
     */
    public PageAllocator(PhysicalMemory memory, List<List<AddressRange>> ramOfNodes) {
        this.memory = memory;
        this.nodes = new NodePages[ramOfNodes.size()];
        long pages = 0;
        for (int n = 0; n < nodes.length; n++) {
            List<AddressRange> usable = new ArrayList<>();
            for (AddressRange range : ramOfNodes.get(n)) {
                if (range.end() > FIRST_BYTE) {
                    usable.add(new AddressRange(Math.max(range.start(), FIRST_BYTE), range.end()));
                }
            }
            usable.sort(Comparator.comparingLong(AddressRange::start));
            nodes[n] = new NodePages(usable);
            pages += nodes[n].freePages();
        }
        this.totalPages = pages;
    }

    /** From now on this gate is asked before each allocation. */
    public void setGate(AllocationGate gate) {
        this.gate = gate;
    }

    /** Number of NUMA nodes. */
    public int nodes() {
        return nodes.length;
    }

    /**
     * Allocates a page where the caller may wait for reclaim: no spinning lock held. The page's
     * contents are undefined.
     *
     * @param node where to look first
     * @return the page, or {@link #NONE}
     */
    public @Pfn long allocate(int node, PageUse use) {
        assert LockRank.Held.mayReclaim();
        return allocateAtomic(node, use);
    }

    /** Allocates a page without sleeping; allowed under the MMU lock, not under the PAMT lock. */
    public @Pfn long allocateAtomic(int node, PageUse use) {
        if (!gate.admits(use, 1)) {
            return NONE;
        }
        for (int i = 0; i < nodes.length; i++) {
            long pfn = nodes[wrap(node + i)].take(use);
            if (pfn != NONE) {
                return pfn;
            }
        }
        return NONE;
    }

    /**
     * Allocates contiguous pages of one node.
     *
     * @param node where to look first
     * @param pages how many
     * @param alignment in pages, a power of two
     * @return the first page, or {@link #NONE}
     */
    public @Pfn long allocateRange(int node, long pages, long alignment, PageUse use) {
        assert LockRank.Held.mayReclaim();
        assert Long.bitCount(alignment) == 1 : "alignment " + alignment;
        if (pages <= 0) {
            throw new IllegalArgumentException("a range of " + pages + " pages");
        }
        if (!gate.admits(use, pages)) {
            return NONE;
        }
        for (int i = 0; i < nodes.length; i++) {
            long pfn = nodes[wrap(node + i)].takeRun(pages, alignment, use);
            if (pfn != NONE) {
                return pfn;
            }
        }
        return NONE;
    }

    /** Frees a page. Never sleeps. Raises if the page does not have this use. */
    public void free(@Pfn long pfn, PageUse use) {
        NodePages owner = ownerOf(pfn);
        forget(pfn);
        owner.giveBack(pfn, 1, use);
    }

    /** Frees a range that was allocated as one. */
    public void freeRange(@Pfn long first, long pages, PageUse use) {
        NodePages owner = ownerOf(first);
        // A PAMT chunk may have millions of pages, and mostly nobody wrote any page at all.
        if (memory.writtenPages() != 0) {
            for (long pfn = first; pfn < first + pages; pfn++) {
                forget(pfn);
            }
        }
        owner.giveBack(first, pages, use);
    }

    /** Call before the page is free: afterwards its next owner may have written it already. */
    private void forget(@Pfn long pfn) {
        if (memory.isWritten(pfn)) {
            memory.zeroPage(Addresses.hpa(pfn));
        }
    }

    /** Changes what a used page is used for. Raises if it does not have the old use. */
    public void retag(@Pfn long pfn, PageUse from, PageUse to) {
        ownerOf(pfn).retag(pfn, from, to);
    }

    /** What a page of RAM is used for, or null where it is free. */
    public @Nullable PageUse useOf(@Pfn long pfn) {
        return ownerOf(pfn).useOf(pfn);
    }

    /** Whether this allocator manages a page. */
    public boolean manages(@Pfn long pfn) {
        for (NodePages node : nodes) {
            if (node.owns(pfn)) {
                return true;
            }
        }
        return false;
    }

    /** Pages that this allocator manages, free or not. */
    public long totalPages() {
        return totalPages;
    }

    /** Free pages on all nodes. */
    public long freePages() {
        long sum = 0;
        for (NodePages node : nodes) {
            sum += node.freePages();
        }
        return sum;
    }

    /** Free pages of one node. */
    public long freePages(int node) {
        return nodes[node].freePages();
    }

    /** Pages of one use on all nodes. */
    public long usedPages(PageUse use) {
        return sums()[use.ordinal()];
    }

    /** Pages by use on all nodes; every use has an entry. */
    public Map<PageUse, Long> usedPages() {
        long[] sums = sums();
        Map<PageUse, Long> map = new EnumMap<>(PageUse.class);
        for (PageUse use : PageUse.values()) {
            map.put(use, sums[use.ordinal()]);
        }
        return map;
    }

    private long[] sums() {
        long[] sums = new long[PageUse.COUNT];
        for (NodePages node : nodes) {
            node.addUsed(sums);
        }
        return sums;
    }

    /**
     * Shows each page, ascending within a node, apart from whole GiBs that are free or all of one
     * use: those never held anything smaller than a GiB. Only for a host at rest.
     */
    public void forEachPage(PageVisitor visitor) {
        for (NodePages node : nodes) {
            node.forEachDetailedPage(visitor);
        }
    }

    /** Recomputes the books from the bitmaps; reports each GiB that does not balance. */
    public void check(BiConsumer<Long, String> finding) {
        for (NodePages node : nodes) {
            node.check(finding);
        }
    }

    private NodePages ownerOf(@Pfn long pfn) {
        for (NodePages node : nodes) {
            if (node.owns(pfn)) {
                return node;
            }
        }
        throw new IllegalStateException(
                Addresses.show(Addresses.hpa(pfn)) + " is not managed by the page allocator");
    }

    private int wrap(int node) {
        return node % nodes.length;
    }
}
