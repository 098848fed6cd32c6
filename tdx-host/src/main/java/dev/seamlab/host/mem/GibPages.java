// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.mem;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Pfn;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The pages of one zone inside one GiB. Guarded by the zone's lock.
 *
 * <p>A GiB whose pages nobody has told apart costs this object alone: it is either untouched, as
 * the boot left it, or whole, all of one use, like the inside of a PAMT chunk. That is why a 6 TiB
 * host starts in no time. The first other use gives it a {@link BuddyMap}, for good.
 *
 * <p>Offsets count pages from the start of the GiB.
 */
final class GibPages {
    static final int SHIFT = Addresses.GIB_SHIFT - Addresses.PAGE_SHIFT;
    static final int PAGES = 1 << SHIFT;

    private final @Pfn long first;
    private final Zone zone;
    private final int place;
    // Pairs of offsets [from, to): the RAM that exists. Ascending, with a gap between neighbours.
    private int[] spans = {};
    private int present;
    // Pages of an untouched GiB that the fragmentation profile says are in use.
    private int scattered;
    private int free;
    private @Nullable PageUse whole;
    // Written under the lock, read without it by the owners of pages that are in use.
    private volatile @Nullable BuddyMap map;
    // The part of this GiB that belongs to another zone.
    private @Nullable GibPages sibling;

    /**
     * @param gib number of the GiB
     * @param place position in the zone's list
     */
    GibPages(long gib, Zone zone, int place) {
        this.first = gib << SHIFT;
        this.zone = zone;
        this.place = place;
    }

    /** Adds RAM; ascending, before the first allocation. */
    void addSpan(int from, int to) {
        int last = spans.length - 1;
        if (last > 0 && spans[last] == from) {
            spans[last] = to;
        } else {
            spans = Arrays.copyOf(spans, spans.length + 2);
            spans[last + 1] = from;
            spans[last + 2] = to;
        }
        present += to - from;
        free += to - from;
    }

    /** Some pages are in use from the start; told apart when the GiB is first touched. */
    void scatter(int pages) {
        scattered = pages;
        free -= pages;
    }

    /** Pages of an untouched GiB that are in use by the fragmentation profile. */
    int scattered() {
        return scattered;
    }

    void setSibling(@Nullable GibPages other) {
        sibling = other;
    }

    @Nullable GibPages sibling() {
        return sibling;
    }

    @Pfn
    long firstPfn() {
        return first;
    }

    Zone zone() {
        return zone;
    }

    int place() {
        return place;
    }

    int[] spans() {
        return spans;
    }

    int presentPages() {
        return present;
    }

    /** Free pages in blocks of the zone; those in CPUs' lists do not count. */
    int freePages() {
        return free;
    }

    void addFree(int pages) {
        free += pages;
    }

    /** Told apart or not, and the use that all pages have where they are not. */
    @Nullable BuddyMap map() {
        return map;
    }

    void setMap(BuddyMap told) {
        map = told;
        whole = null;
    }

    /** The use that all pages have; null where they are untouched or told apart. */
    @Nullable PageUse wholeUse() {
        return whole;
    }

    void setWhole(@Nullable PageUse use) {
        whole = use;
        free = use == null ? present : 0;
    }

    /** Whether all pages are free and nobody has told them apart. */
    boolean isUntouched() {
        return map == null && whole == null;
    }

    boolean isPresent(int offset) {
        if (present == PAGES) {
            return true;
        }
        for (int i = 0; i < spans.length; i += 2) {
            if (offset >= spans[i] && offset < spans[i + 1]) {
                return true;
            }
        }
        return false;
    }

    /** Whether all pages [from, to) are RAM. */
    boolean isPresent(int from, int to) {
        for (int i = 0; i < spans.length; i += 2) {
            if (from >= spans[i] && to <= spans[i + 1]) {
                return true;
            }
        }
        return false;
    }

    /** Use of a page that is present, or null where it is free, in a block or in a CPU's list. */
    @Nullable PageUse useOf(int offset) {
        BuddyMap told = map;
        if (told == null) {
            return whole;
        }
        byte tag = told.uses[offset];
        return tag <= BuddyMap.FREE ? null : BuddyMap.use(tag);
    }
}
