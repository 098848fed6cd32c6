// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.mem;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Pfn;
import dev.seamlab.machine.profile.AddressRange;
import dev.seamlab.machine.sched.Lock;
import dev.seamlab.machine.sched.LockRank;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/**
 * A zone of a NUMA node: its memory below 4 GiB (the kernel's DMA32), or from there on (Normal).
 *
 * <p>Pages come from free blocks ({@link FreeAreas}); where those are used up, the lowest untouched
 * GiB is told apart and feeds them. That is the order of a kernel that has just booted.
 */
final class Zone {
    private final int node;
    private final Lock lock = new Lock(LockRank.PAGE_ALLOCATOR);
    private final List<GibPages> gibs = new ArrayList<>();
    private final FreeAreas areas = new FreeAreas(gibs);
    private final Scatter scatter;

    // Guarded by the lock.
    private final Tally tally = new Tally();
    private long free;
    private long present;
    // No GiB before this place is untouched.
    private int untouched;

    /**
     * @param scatter which pages are in use from the start
     */
    Zone(int node, Scatter scatter) {
        this.node = node;
        this.scatter = scatter;
    }

    /** Adds page-aligned RAM above all that was added before. */
    void add(AddressRange range, PageDirectory directory) {
        long end = Addresses.pfn(range.end());
        for (long pfn = Addresses.pfn(range.start()); pfn < end; ) {
            long number = pfn >>> GibPages.SHIFT;
            GibPages gib = gibs.isEmpty() ? null : gibs.getLast();
            if (gib == null || gib.firstPfn() != number << GibPages.SHIFT) {
                gib = new GibPages(number, this, gibs.size());
                gibs.add(gib);
                directory.add(gib);
            }
            long stop = Math.min(end, gib.firstPfn() + GibPages.PAGES);
            gib.addSpan(offset(pfn), (int) (stop - gib.firstPfn()));
            pfn = stop;
        }
    }

    /** All RAM has been added: the boot is over. */
    void seal() {
        int touchedByBoot = scatter.gibs(gibs.size());
        for (GibPages gib : gibs) {
            present += gib.presentPages();
            // A GiB with holes is left alone: its pattern would have to know them.
            if (gib.place() < touchedByBoot && gib.presentPages() == GibPages.PAGES) {
                gib.scatter(scatter.pagesPerGib());
                tally.add(PageUse.RESIDENT, scatter.pagesPerGib());
            }
            free += gib.freePages();
        }
    }

    /** NUMA node. */
    int node() {
        return node;
    }

    /** Pages of RAM. */
    long presentPages() {
        return present;
    }

    /** Takes a page, or answers {@link PageAllocator#NONE}. */
    @Pfn
    long take(PageUse use) {
        return takeBlock(0, use);
    }

    /** Takes 2^order pages, aligned to their size, or answers NONE. */
    @Pfn
    long takeBlock(int order, PageUse use) {
        lock.lock();
        try {
            int from = smallestOrder(order);
            if (from < 0) {
                return PageAllocator.NONE;
            }
            GibPages gib = areas.front(from);
            int offset = areas.takeFront(from, order);
            mark(gib, offset, offset + (1 << order), BuddyMap.tag(use));
            tally.add(use, 1L << order);
            return gib.firstPfn() + offset;
        } finally {
            lock.unlock();
        }
    }

    /**
     * Takes pages for the list of a CPU: the same that as many requests for one page would get.
     *
     * @return how many there were
     */
    int takeListed(@Pfn long[] into, int at, int wanted) {
        lock.lock();
        try {
            int taken = 0;
            while (taken < wanted) {
                int from = smallestOrder(0);
                if (from < 0) {
                    break;
                }
                int fits = 31 - Integer.numberOfLeadingZeros(wanted - taken);
                GibPages gib = areas.front(from);
                int order = Math.min(from, fits);
                int offset = areas.takeFront(from, order);
                mark(gib, offset, offset + (1 << order), BuddyMap.LISTED);
                for (int i = 0; i < 1 << order; i++) {
                    into[at + taken++] = gib.firstPfn() + offset + i;
                }
            }
            return taken;
        } finally {
            lock.unlock();
        }
    }

    /**
     * Takes contiguous pages as the kernel's alloc_contig_pages looks for them: upwards from the
     * start of the zone, in steps of the length. It does not move pages that are in its way, as the
     * kernel could.
     *
     * @param alignment in pages, a power of two; above 1, each aligned start is tried instead
     */
    @Pfn
    long takeRun(long pages, long alignment, PageUse use) {
        lock.lock();
        try {
            if (free < pages) {
                return PageAllocator.NONE;
            }
            long start = gibs.getFirst().firstPfn() + gibs.getFirst().spans()[0];
            long end = gibs.getLast().firstPfn() + gibs.getLast().spans()[spansEnd()];
            // The kernel's ALIGN, which only means what it says for powers of two; for others it
            // clears the bits of the length less one, and never ends up below the start.
            long unit = alignment == 1 ? pages : alignment;
            for (long first = (start + unit - 1) & ~(unit - 1);
                    first + pages <= end;
                    first += unit) {
                if (isFree(first, first + pages)) {
                    takeRange(first, first + pages, use);
                    return first;
                }
            }
            return PageAllocator.NONE;
        } finally {
            lock.unlock();
        }
    }

    private int spansEnd() {
        return gibs.getLast().spans().length - 1;
    }

    private void takeRange(@Pfn long first, @Pfn long end, PageUse use) {
        for (long pfn = first; pfn < end; ) {
            GibPages gib = require(pfn);
            int from = offset(pfn);
            int to = (int) (Math.min(end, gib.firstPfn() + GibPages.PAGES) - gib.firstPfn());
            if (gib.map() == null && to - from == gib.presentPages()) {
                free -= gib.freePages();
                gib.setWhole(use);
            } else {
                tellApart(gib);
                areas.carve(gib, from, to);
                mark(gib, from, to, BuddyMap.tag(use));
            }
            pfn = gib.firstPfn() + to;
        }
        tally.add(use, end - first);
    }

    private boolean isFree(@Pfn long first, @Pfn long end) {
        for (long pfn = first; pfn < end; ) {
            GibPages gib = gib(pfn);
            long stop = Math.min(end, ((pfn >>> GibPages.SHIFT) + 1) << GibPages.SHIFT);
            if (gib == null || !isFree(gib, offset(pfn), (int) (stop - gib.firstPfn()))) {
                return false;
            }
            pfn = stop;
        }
        return true;
    }

    private boolean isFree(GibPages gib, int from, int to) {
        if (gib.freePages() < to - from || !gib.isPresent(from, to)) {
            return false;
        }
        if (gib.isUntouched() && gib.scattered() > 0) {
            tellApart(gib);
        }
        BuddyMap map = gib.map();
        for (int offset = from; map != null && offset < to; offset++) {
            if (map.uses[offset] != BuddyMap.FREE) {
                return false;
            }
        }
        return true;
    }

    /** Frees a page; its owner has found that it has this use. */
    void giveBack(GibPages gib, int offset, PageUse use) {
        lock.lock();
        try {
            requireUse(gib, offset, use, "freed");
            tellApart(gib);
            mark(gib, offset, offset + 1, BuddyMap.FREE);
            areas.giveBack(gib, offset, 0);
            tally.add(use, -1);
        } finally {
            lock.unlock();
        }
    }

    /** Frees a run of pages. Fails, and frees none, if one of them does not have this use. */
    void giveBackRun(@Pfn long first, long pages, PageUse use) {
        lock.lock();
        try {
            requireUse(first, first + pages, use);
            for (long pfn = first; pfn < first + pages; ) {
                GibPages gib = require(pfn);
                int from = offset(pfn);
                int to = (int) Math.min(first + pages - gib.firstPfn(), GibPages.PAGES);
                if (gib.wholeUse() == use && to - from == gib.presentPages()) {
                    gib.setWhole(null);
                    untouched = Math.min(untouched, gib.place());
                    free += gib.presentPages();
                } else {
                    tellApart(gib);
                    mark(gib, from, to, BuddyMap.FREE);
                    areas.giveBackRange(gib, from, to);
                }
                pfn = gib.firstPfn() + to;
            }
            tally.add(use, -pages);
        } finally {
            lock.unlock();
        }
    }

    /**
     * Takes pages back from the list of a CPU; all are of this zone. Neighbours go back together,
     * which spares merging them one by one.
     */
    void giveBackListed(PageDirectory directory, @Pfn long[] pages, int from, int to) {
        lock.lock();
        try {
            for (int i = from; i < to; ) {
                long low = pages[i];
                long high = low;
                int next = i + 1;
                while (next < to
                        && (pages[next] == low - 1 || pages[next] == high + 1)
                        && pages[next] >>> GibPages.SHIFT == low >>> GibPages.SHIFT) {
                    low = Math.min(low, pages[next]);
                    high = Math.max(high, pages[next++]);
                }
                GibPages gib = directory.find(low);
                if (gib == null || gib.zone() != this) {
                    throw new IllegalStateException("a CPU's list has a page of another zone");
                }
                mark(gib, offset(low), offset(high) + 1, BuddyMap.FREE);
                areas.giveBackRange(gib, offset(low), offset(high) + 1);
                i = next;
            }
        } finally {
            lock.unlock();
        }
    }

    /** Changes what a page is used for, and who counts it. */
    void retag(GibPages gib, int offset, PageUse from, PageUse to) {
        lock.lock();
        try {
            requireUse(gib, offset, from, "given the use " + to);
            tellApart(gib).uses[offset] = BuddyMap.tag(to);
            tally.add(from, -1);
            tally.add(to, 1);
        } finally {
            lock.unlock();
        }
    }

    /** Free pages in blocks; those in CPUs' lists do not count. */
    long freePages() {
        lock.lock();
        try {
            return free;
        } finally {
            lock.unlock();
        }
    }

    /** Adds what this zone has counted itself. */
    void addCounted(long[] sums) {
        lock.lock();
        try {
            tally.addTo(sums);
        } finally {
            lock.unlock();
        }
    }

    /** Free blocks of each order, those of untouched GiBs included. */
    void addFreeBlocks(long[] byOrder) {
        lock.lock();
        try {
            for (GibPages gib : gibs) {
                BuddyMap map = gib.map();
                if (map == null && gib.wholeUse() == null && gib.scattered() > 0) {
                    map = tellApart(gib);
                }
                if (map == null) {
                    countUntouched(gib, byOrder);
                } else {
                    countBlocks(map, byOrder);
                }
            }
        } finally {
            lock.unlock();
        }
    }

    private static void countUntouched(GibPages gib, long[] byOrder) {
        int[] spans = gib.wholeUse() == null ? gib.spans() : new int[0];
        for (int i = 0; i < spans.length; i += 2) {
            for (int offset = spans[i]; offset < spans[i + 1]; ) {
                int order = FreeAreas.largestOrder(offset, spans[i + 1]);
                byOrder[order]++;
                offset += 1 << order;
            }
        }
    }

    private static void countBlocks(BuddyMap map, long[] byOrder) {
        for (int offset = 0; offset < GibPages.PAGES; ) {
            int order = map.orderOfBlockWith(offset);
            if (order >= 0) {
                byOrder[order]++;
            }
            offset += 1 << Math.max(order, 0);
        }
    }

    /**
     * Calls back for each page that has been told apart. Not under the lock: only for a host at
     * rest.
     */
    void forEachPage(PageAllocator.PageVisitor visitor) {
        for (GibPages gib : gibs) {
            for (int offset = 0; gib.map() != null && offset < GibPages.PAGES; offset++) {
                if (gib.isPresent(offset)) {
                    visitor.page(gib.firstPfn() + offset, gib.useOf(offset));
                }
            }
        }
    }

    /**
     * Recomputes what the zone keeps count of, from the pages.
     *
     * @param sums receives the pages by use, as they are
     * @return pages that are in CPUs' lists
     */
    long check(long[] sums, BiConsumer<Long, String> finding) {
        lock.lock();
        try {
            long counted = 0;
            long listed = 0;
            for (GibPages gib : gibs) {
                listed += check(gib, sums, finding);
                counted += gib.freePages();
            }
            if (counted != free) {
                finding.accept(
                        gibs.getFirst().firstPfn(),
                        "the zone counts " + free + " free pages, its GiBs " + counted);
            }
            return listed;
        } finally {
            lock.unlock();
        }
    }

    private static long check(GibPages gib, long[] sums, BiConsumer<Long, String> finding) {
        BuddyMap map = gib.map();
        PageUse whole = gib.wholeUse();
        if (map == null) {
            int used = whole == null ? gib.scattered() : gib.presentPages();
            sums[(whole == null ? PageUse.RESIDENT : whole).ordinal()] += used;
            if (gib.freePages() != gib.presentPages() - used) {
                finding.accept(gib.firstPfn(), "the GiB's count of free pages is wrong");
            }
            return 0;
        }
        int free = 0;
        int listed = 0;
        int end = 0;
        for (int offset = 0; offset < GibPages.PAGES; offset++) {
            byte tag = map.uses[offset];
            int order = offset < end ? 0 : map.orderOfBlockWith(offset);
            if (offset >= end && order >= 0) {
                end = offset + (1 << order);
            }
            if (tag == BuddyMap.FREE != offset < end) {
                finding.accept(
                        gib.firstPfn() + offset,
                        "the page's entry is " + tag + ", and the free blocks say otherwise");
                return listed;
            }
            if (tag == BuddyMap.FREE) {
                free++;
            } else if (tag == BuddyMap.LISTED) {
                listed++;
            } else if (tag != BuddyMap.ABSENT) {
                sums[tag - 1]++;
            }
        }
        if (free != gib.freePages()) {
            finding.accept(
                    gib.firstPfn(),
                    "the GiB counts " + gib.freePages() + " free pages and has " + free);
        }
        return listed;
    }

    /** Smallest order that has a block, after feeding the free areas if they need it. */
    private int smallestOrder(int order) {
        int found = areas.smallestOrder(order);
        while (found < 0 && feed()) {
            found = areas.smallestOrder(order);
        }
        return found;
    }

    private boolean feed() {
        while (untouched < gibs.size() && !gibs.get(untouched).isUntouched()) {
            untouched++;
        }
        if (untouched == gibs.size()) {
            return false;
        }
        tellApart(gibs.get(untouched));
        return true;
    }

    /** Gives a GiB its map, if it has none. */
    private BuddyMap tellApart(GibPages gib) {
        BuddyMap map = gib.map();
        if (map != null) {
            return map;
        }
        map = new BuddyMap();
        Arrays.fill(map.uses, BuddyMap.ABSENT);
        PageUse whole = gib.wholeUse();
        byte tag = whole == null ? BuddyMap.FREE : BuddyMap.tag(whole);
        int[] spans = gib.spans();
        for (int i = 0; i < spans.length; i += 2) {
            Arrays.fill(map.uses, spans[i], spans[i + 1], tag);
        }
        gib.setMap(map);
        if (whole == null) {
            if (gib.scattered() > 0) {
                scatter.mark(gib.firstPfn() >>> GibPages.SHIFT, map.uses);
            }
            freeBlocks(gib, map);
        }
        return map;
    }

    /** Highest first, so that the lowest group ends up at the front. */
    private void freeBlocks(GibPages gib, BuddyMap map) {
        int[] spans = gib.spans();
        int highest = (spans[spans.length - 1] - 1) / BuddyMap.GROUP_PAGES;
        for (int group = highest; group >= spans[0] / BuddyMap.GROUP_PAGES; group--) {
            int start = group * BuddyMap.GROUP_PAGES;
            int stop = start + BuddyMap.GROUP_PAGES;
            for (int from = start; from < stop; ) {
                int to = from;
                while (to < stop && map.uses[to] == BuddyMap.FREE) {
                    to++;
                }
                areas.giveBackRange(gib, from, to);
                from = to + 1;
            }
        }
    }

    /** Marks pages that are all free, or all not, and keeps the counts of free pages right. */
    private void mark(GibPages gib, int from, int to, byte tag) {
        BuddyMap map = tellApart(gib);
        int were = map.uses[from] == BuddyMap.FREE ? from - to : 0;
        int are = tag == BuddyMap.FREE ? to - from : 0;
        Arrays.fill(map.uses, from, to, tag);
        gib.addFree(were + are);
        free += were + are;
    }

    /** The GiB of a frame inside the zone's span, or null in a hole. */
    private @Nullable GibPages gib(@Pfn long pfn) {
        int low = 0;
        int high = gibs.size() - 1;
        while (low <= high) {
            int middle = (low + high) >>> 1;
            GibPages gib = gibs.get(middle);
            if (pfn < gib.firstPfn()) {
                high = middle - 1;
            } else if (pfn >= gib.firstPfn() + GibPages.PAGES) {
                low = middle + 1;
            } else {
                return gib;
            }
        }
        return null;
    }

    private GibPages require(@Pfn long pfn) {
        GibPages gib = gib(pfn);
        if (gib == null || !gib.isPresent(offset(pfn))) {
            throw new IllegalStateException(
                    Addresses.show(Addresses.hpa(pfn)) + " is no RAM of this zone");
        }
        return gib;
    }

    private void requireUse(@Pfn long first, @Pfn long end, PageUse use) {
        for (long pfn = first; pfn < end; pfn++) {
            GibPages gib = require(pfn);
            if (gib.wholeUse() == use && end - gib.firstPfn() >= GibPages.PAGES) {
                // A whole GiB of this use needs no look at each page.
                pfn = gib.firstPfn() + GibPages.PAGES - 1;
            } else {
                requireUse(gib, offset(pfn), use, "freed");
            }
        }
    }

    static void requireUse(GibPages gib, int offset, PageUse use, String verb) {
        PageUse actual = gib.useOf(offset);
        if (actual != use) {
            throw new IllegalStateException(
                    "page "
                            + Addresses.show(Addresses.hpa(gib.firstPfn() + offset))
                            + " cannot be "
                            + verb
                            + " as "
                            + use
                            + ": it is "
                            + (actual == null ? "free already" : "used as " + actual));
        }
    }

    static int offset(@Pfn long pfn) {
        return (int) pfn & (GibPages.PAGES - 1);
    }
}
