// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.mem;

import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.machine.Pfn;

/**
 * The free pages that one CPU keeps for single-page requests, as the kernel's per-CPU page lists:
 * filled from the zones a batch or several at a time, given back a batch at a time, last in, first
 * out in between. Pages of the CPU's own node only.
 *
 * <p>Whoever has claimed the CPU owns its list, so no lock and no shared word is touched: the claim
 * is what switching preemption off is in the kernel. Others wait until the CPU is idle ({@link
 * HostCpu#ifIdle}).
 */
final class CpuPages {
    /** A list has room for this many batches at least (zone_highsize). */
    private static final int LEAST_BATCHES = 4;

    /** How often the size of a refill may double (CONFIG_PCP_BATCH_SCALE_MAX). */
    private static final int LARGEST_SCALE = 5;

    /** The lists of all CPUs of a node hold at most this part of its memory. */
    private static final int SMALLEST_PART = 8;

    private final HostCpu cpu;
    private final PageDirectory directory;
    private final GibCursor given;
    private final Zone[] zones;
    private final int batch;
    private final Tally tally = new Tally();
    // As long as the list may get. Where it is full, a batch goes back.
    private final @Pfn long[] pages;
    private int count;
    // Refills since the last free: each is twice as large as the one before.
    private int scale;
    // Pages come and go near each other: the GiB of the last one.
    private @Pfn long lastFirst = -1;
    private byte[] lastUses = {};

    /**
     * @param zones those of the CPU's node, in the order of preference
     * @param batch how many pages move at a time
     * @param high how many pages the list may hold
     */
    CpuPages(HostCpu cpu, PageDirectory directory, Zone[] zones, int batch, int high) {
        this.cpu = cpu;
        this.directory = directory;
        this.given = new GibCursor(directory);
        this.zones = zones;
        this.batch = batch;
        this.pages = new long[high];
    }

    /**
     * The kernel's zone_batchsize: a 4096th of the memory, at most 64 pages, then to just below a
     * power of two, so that CPUs with a common beat do not fill the same sets of their caches.
     */
    static int batchFor(long presentPages) {
        int wanted = (int) Math.max(1, Math.min(presentPages >>> 12, 64));
        return Math.max(1, Integer.highestOneBit(wanted + wanted / 2) - 1);
    }

    /**
     * How long a list may get. The kernel moves this limit between a share of the low watermark and
     * an eighth of the memory, with what the CPU does; here it stands where the largest refill
     * fits.
     */
    static int highFor(long presentPages, int cpusOfNode) {
        int batch = batchFor(presentPages);
        long largest = (long) (1 << LARGEST_SCALE) * batch + batch;
        long most = Math.min(largest, presentPages / SMALLEST_PART / cpusOfNode);
        return (int) Math.max((long) LEAST_BATCHES * batch, most);
    }

    /** The CPU whose list this is. */
    HostCpu cpu() {
        return cpu;
    }

    /** Takes a page, or answers NONE where the node has none left. */
    @Pfn
    long take(PageUse use) {
        if (count == 0 && !refill()) {
            return PageAllocator.NONE;
        }
        long pfn = pages[--count];
        uses(pfn)[Zone.offset(pfn)] = BuddyMap.tag(use);
        tally.add(use, 1);
        return pfn;
    }

    /** The GiB of a page that is about to be given back, to this list or to its zone. */
    GibPages gibOf(@Pfn long pfn) {
        return given.at(pfn);
    }

    /** Takes a page back. The caller has seen that it belongs to this node. */
    void giveBack(GibPages gib, @Pfn long pfn, PageUse use) {
        BuddyMap map = gib.map();
        int offset = Zone.offset(pfn);
        if (map == null) {
            // In the middle of a range that was taken as whole GiBs.
            gib.zone().giveBack(gib, offset, use);
            return;
        }
        if (map.uses[offset] != BuddyMap.tag(use)) {
            Zone.requireUse(gib, offset, use, "freed");
        }
        if (count == pages.length) {
            giveBackOldest(batch);
        }
        scale >>= 1;
        map.uses[offset] = BuddyMap.LISTED;
        tally.add(use, -1);
        pages[count++] = pfn;
    }

    /** Gives all pages back to their zones, and is as it was at first. */
    void drain() {
        giveBackOldest(count);
        scale = 0;
    }

    /** Pages in the list. */
    int count() {
        return count;
    }

    /** Page at a place of the list. */
    @Pfn
    long page(int index) {
        return pages[index];
    }

    Tally tally() {
        return tally;
    }

    private boolean refill() {
        int wanted = refillSize();
        for (Zone zone : zones) {
            count = zone.takeListed(pages, 0, wanted);
            if (count > 0) {
                // The lowest of what one block gave goes first, as the kernel's lists have it.
                for (int low = 0, high = count - 1; low < high; low++, high--) {
                    long page = pages[low];
                    pages[low] = pages[high];
                    pages[high] = page;
                }
                return true;
            }
        }
        return false;
    }

    /**
     * The kernel's nr_pcp_alloc for an empty list: doubles with each refill that no free came
     * before, so that a CPU that maps a TD's memory soon takes whole 2 MiB ranges for itself.
     */
    private int refillSize() {
        int most = Math.max(pages.length - batch, batch);
        int wanted = batch << scale;
        if (wanted <= most && scale < LARGEST_SCALE) {
            scale++;
        }
        return Math.min(wanted, most);
    }

    private void giveBackOldest(int number) {
        for (int from = 0; from < number; ) {
            Zone zone = zoneOf(pages[from]);
            int to = from + 1;
            while (to < number && zoneOf(pages[to]) == zone) {
                to++;
            }
            zone.giveBackListed(directory, pages, from, to);
            from = to;
        }
        count -= number;
        System.arraycopy(pages, number, pages, 0, count);
    }

    private Zone zoneOf(@Pfn long pfn) {
        return require(pfn).zone();
    }

    private byte[] uses(@Pfn long pfn) {
        long first = pfn & -GibPages.PAGES;
        if (first != lastFirst) {
            BuddyMap map = require(pfn).map();
            if (map == null) {
                throw new IllegalStateException("a listed page has not been told apart");
            }
            lastUses = map.uses;
            lastFirst = first;
        }
        return lastUses;
    }

    private GibPages require(@Pfn long pfn) {
        GibPages gib = directory.find(pfn);
        if (gib == null) {
            throw new IllegalStateException("frame " + pfn + " in a CPU's list is no RAM");
        }
        return gib;
    }
}
