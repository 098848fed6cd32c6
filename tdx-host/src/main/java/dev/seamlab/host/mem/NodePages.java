// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.mem;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Pfn;
import dev.seamlab.machine.profile.AddressRange;
import dev.seamlab.machine.sched.Lock;
import dev.seamlab.machine.sched.LockRank;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/**
 * The pages of one NUMA node.
 *
 * <p>Single pages come from the lowest free address, contiguous ranges from the highest: both
 * choices are deterministic, small users stay packed in few 2 MiB ranges, and the two do not break
 * up each other's space.
 */
final class NodePages {
    private static final int DIRECTORY_SHIFT = 9;
    private static final int DIRECTORY_PAGE = 1 << DIRECTORY_SHIFT;

    private final Lock lock = new Lock(LockRank.PAGE_ALLOCATOR);
    private final List<GibPages> gibs = new ArrayList<>();
    // By number of the GiB, in two levels because memory may lie at the top of the address space.
    private final @Nullable GibPages[] @Nullable [] directory;

    // Guarded by the lock.
    private final long[] used = new long[PageUse.COUNT];
    private long free;
    // No GiB before this place has a free page.
    private int lowest;

    /**
     * @param memory page-aligned RAM, ascending
     */
    NodePages(List<AddressRange> memory) {
        long lastGib = 0;
        for (AddressRange range : memory) {
            lastGib = Math.max(lastGib, (range.end() - 1) >>> Addresses.GIB_SHIFT);
        }
        directory = new @Nullable GibPages[(int) (lastGib >>> DIRECTORY_SHIFT) + 1][];
        for (AddressRange range : memory) {
            add(Addresses.pfn(range.start()), Addresses.pfn(range.end()));
        }
    }

    private void add(@Pfn long start, @Pfn long end) {
        for (long pfn = start; pfn < end; ) {
            GibPages gib = gibForBuilding(pfn >>> GibPages.SHIFT);
            long stop = Math.min(end, gib.firstPfn() + GibPages.PAGES);
            gib.addSpan(offset(pfn), (int) (stop - gib.firstPfn()));
            free += stop - pfn;
            pfn = stop;
        }
    }

    private GibPages gibForBuilding(long number) {
        int row = (int) (number >>> DIRECTORY_SHIFT);
        @Nullable GibPages[] page = directory[row];
        if (page == null) {
            page = new @Nullable GibPages[DIRECTORY_PAGE];
            directory[row] = page;
        }
        int column = (int) number & (DIRECTORY_PAGE - 1);
        GibPages gib = page[column];
        if (gib == null) {
            gib = new GibPages(number, gibs.size());
            page[column] = gib;
            gibs.add(gib);
        }
        return gib;
    }

    private @Nullable GibPages gibOf(@Pfn long pfn) {
        long number = pfn >>> GibPages.SHIFT;
        long row = number >>> DIRECTORY_SHIFT;
        if (pfn < 0 || row >= directory.length) {
            return null;
        }
        @Nullable GibPages[] page = directory[(int) row];
        return page == null ? null : page[(int) number & (DIRECTORY_PAGE - 1)];
    }

    /** Whether a page is RAM of this node. */
    boolean owns(@Pfn long pfn) {
        GibPages gib = gibOf(pfn);
        return gib != null && gib.isPresent(offset(pfn));
    }

    /** Takes the lowest free page, or answers {@link PageAllocator#NONE}. */
    @Pfn
    long take(PageUse use) {
        lock.lock();
        try {
            if (free == 0) {
                return PageAllocator.NONE;
            }
            while (gibs.get(lowest).freePages() == 0) {
                lowest++;
            }
            GibPages gib = gibs.get(lowest);
            int offset = gib.takeLowest(use);
            free--;
            used[use.ordinal()]++;
            return gib.firstPfn() + offset;
        } finally {
            lock.unlock();
        }
    }

    /** Takes the highest run of free pages that is long enough, or answers NONE. */
    @Pfn
    long takeRun(long pages, long alignment, PageUse use) {
        lock.lock();
        try {
            long start = free < pages ? PageAllocator.NONE : highestRun(pages, alignment);
            if (start != PageAllocator.NONE) {
                for (long pfn = start; pfn < start + pages; ) {
                    GibPages gib = require(pfn);
                    long stop = Math.min(start + pages, gib.firstPfn() + GibPages.PAGES);
                    gib.take(offset(pfn), (int) (stop - gib.firstPfn()), use);
                    pfn = stop;
                }
                free -= pages;
                used[use.ordinal()] += pages;
            }
            return start;
        } finally {
            lock.unlock();
        }
    }

    private @Pfn long highestRun(long pages, long alignment) {
        long runStart = -1;
        long runEnd = -1;
        for (int i = gibs.size() - 1; i >= 0; i--) {
            GibPages gib = gibs.get(i);
            int limit = gib.freePages() == 0 ? 0 : GibPages.PAGES;
            while (limit > 0) {
                int end = gib.freeEndBelow(limit);
                if (end == 0) {
                    break;
                }
                limit = gib.freeStartBelow(end);
                // Runs go on across GiBs where the last one began at this GiB's end.
                if (gib.firstPfn() + end != runStart) {
                    runEnd = gib.firstPfn() + end;
                }
                runStart = gib.firstPfn() + limit;
                long candidate = (runEnd - pages) & -alignment;
                if (candidate >= runStart) {
                    return candidate;
                }
            }
        }
        return PageAllocator.NONE;
    }

    /** Frees a run of pages. Fails, and frees none, if one of them does not have this use. */
    void giveBack(@Pfn long start, long pages, PageUse use) {
        lock.lock();
        try {
            for (long pfn = start; pfn < start + pages; pfn++) {
                GibPages gib = require(pfn);
                if (gib.wholeUse() == use && start + pages - gib.firstPfn() >= GibPages.PAGES) {
                    // A whole GiB of this use needs no look at each page.
                    pfn = gib.firstPfn() + GibPages.PAGES - 1;
                } else {
                    requireUse(gib, pfn, use, "freed");
                }
            }
            for (long pfn = start; pfn < start + pages; ) {
                GibPages gib = require(pfn);
                long stop = Math.min(start + pages, gib.firstPfn() + GibPages.PAGES);
                gib.release(offset(pfn), (int) (stop - gib.firstPfn()), use);
                lowest = Math.min(lowest, gib.place());
                pfn = stop;
            }
            free += pages;
            used[use.ordinal()] -= pages;
        } finally {
            lock.unlock();
        }
    }

    void retag(@Pfn long pfn, PageUse from, PageUse to) {
        lock.lock();
        try {
            GibPages gib = require(pfn);
            requireUse(gib, pfn, from, "given the use " + to);
            gib.retag(offset(pfn), to);
            used[from.ordinal()]--;
            used[to.ordinal()]++;
        } finally {
            lock.unlock();
        }
    }

    @Nullable PageUse useOf(@Pfn long pfn) {
        lock.lock();
        try {
            return require(pfn).useOf(offset(pfn));
        } finally {
            lock.unlock();
        }
    }

    long freePages() {
        lock.lock();
        try {
            return free;
        } finally {
            lock.unlock();
        }
    }

    /** Adds this node's pages by use to {@code sums}, all read at one moment. */
    void addUsed(long[] sums) {
        lock.lock();
        try {
            for (int i = 0; i < sums.length; i++) {
                sums[i] += used[i];
            }
        } finally {
            lock.unlock();
        }
    }

    /**
     * Calls back for each page whose GiB tells pages apart. Not under the lock: only for a host at
     * rest.
     */
    void forEachDetailedPage(PageAllocator.PageVisitor visitor) {
        for (GibPages gib : gibs) {
            for (int offset = 0; gib.isDetailed() && offset < GibPages.PAGES; offset++) {
                if (gib.isPresent(offset)) {
                    visitor.page(gib.firstPfn() + offset, gib.useOf(offset));
                }
            }
        }
    }

    /** Calls back with the first page of each GiB whose books do not balance. */
    void check(BiConsumer<Long, String> finding) {
        lock.lock();
        try {
            long counted = 0;
            for (GibPages gib : gibs) {
                if (!gib.isConsistent()) {
                    finding.accept(gib.firstPfn(), "bitmap, uses and free count disagree");
                }
                counted += gib.freePages();
            }
            if (counted != free) {
                finding.accept(
                        gibs.get(0).firstPfn(),
                        "the node counts " + free + " free pages, its GiBs " + counted);
            }
        } finally {
            lock.unlock();
        }
    }

    private GibPages require(@Pfn long pfn) {
        GibPages gib = gibOf(pfn);
        if (gib == null || !gib.isPresent(offset(pfn))) {
            throw new IllegalStateException(
                    Addresses.show(Addresses.hpa(pfn)) + " is no RAM of this node");
        }
        return gib;
    }

    private static void requireUse(GibPages gib, @Pfn long pfn, PageUse use, String verb) {
        PageUse actual = gib.useOf(offset(pfn));
        if (actual != use) {
            throw new IllegalStateException(
                    "page "
                            + Addresses.show(Addresses.hpa(pfn))
                            + " cannot be "
                            + verb
                            + " as "
                            + use
                            + ": it is "
                            + (actual == null ? "free already" : "used as " + actual));
        }
    }

    private static int offset(@Pfn long pfn) {
        return (int) pfn & (GibPages.PAGES - 1);
    }
}
