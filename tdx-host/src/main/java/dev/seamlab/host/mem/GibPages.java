// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.mem;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Pfn;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The pages of one node inside one GiB. Guarded by the node's lock.
 *
 * <p>A GiB whose pages are all free, or all of one use, costs this object alone; that is why a 6
 * TiB host starts in no time and why its PAMT chunks cost nothing. The first partial use
 * materialises a bitmap of free pages under two levels of summary and one byte of use per page, 288
 * KiB in all.
 *
 * <p>Offsets count pages from the start of the GiB.
 */
final class GibPages {
    static final int SHIFT = Addresses.GIB_SHIFT - Addresses.PAGE_SHIFT;
    static final int PAGES = 1 << SHIFT;

    private static final int WORDS = PAGES / 64;
    private static final byte FREE = 0;
    private static final byte ABSENT = -1;

    private final @Pfn long first;
    private final int place;
    // Pairs of offsets [from, to): the RAM that exists. Ascending, with a gap between neighbours.
    private int[] spans = {};
    private int present;
    private int free;
    // With no detail, all pages are free (null) or all have this use.
    private @Nullable PageUse whole;
    private @Nullable Detail detail;

    /** Bitmap and uses of a GiB that is neither all free nor all of one use. */
    private static final class Detail {
        final long[] bits = new long[WORDS];
        final long[] summary = new long[WORDS / 64];
        final byte[] uses = new byte[PAGES];
        long top;

        void setFree(int offset) {
            int word = offset >>> 6;
            bits[word] |= 1L << offset;
            summary[word >>> 6] |= 1L << word;
            top |= 1L << (word >>> 6);
            uses[offset] = FREE;
        }

        void setUsed(int offset, byte use) {
            int word = offset >>> 6;
            bits[word] &= ~(1L << offset);
            if (bits[word] == 0) {
                summary[word >>> 6] &= ~(1L << word);
                if (summary[word >>> 6] == 0) {
                    top &= ~(1L << (word >>> 6));
                }
            }
            uses[offset] = use;
        }

        boolean isFree(int offset) {
            return (bits[offset >>> 6] >>> offset & 1) != 0;
        }
    }

    /**
     * @param gib number of the GiB
     * @param place position in the node's list
     */
    GibPages(long gib, int place) {
        this.first = gib << SHIFT;
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

    @Pfn
    long firstPfn() {
        return first;
    }

    int place() {
        return place;
    }

    int freePages() {
        return free;
    }

    int presentPages() {
        return present;
    }

    /** Whether pages have been told apart here yet. */
    boolean isDetailed() {
        return detail != null;
    }

    /** The use that all pages have, or null: some are free, or they differ. */
    @Nullable PageUse wholeUse() {
        return whole;
    }

    boolean isPresent(int offset) {
        for (int i = 0; i < spans.length; i += 2) {
            if (offset >= spans[i] && offset < spans[i + 1]) {
                return true;
            }
        }
        return false;
    }

    /** Use of a page that is present, or null where it is free. */
    @Nullable PageUse useOf(int offset) {
        Detail d = detail;
        if (d == null) {
            return whole;
        }
        byte use = d.uses[offset];
        return use <= FREE ? null : USES[use - 1];
    }

    /** Takes the lowest free page; there must be one. */
    int takeLowest(PageUse use) {
        Detail d = detailed();
        int group = Long.numberOfTrailingZeros(d.top);
        int word = (group << 6) + Long.numberOfTrailingZeros(d.summary[group]);
        int offset = (word << 6) + Long.numberOfTrailingZeros(d.bits[word]);
        d.setUsed(offset, tag(use));
        free--;
        return offset;
    }

    /** Takes the pages [from, to), which are present and free. */
    void take(int from, int to, PageUse use) {
        if (detail == null && to - from == present) {
            whole = use;
        } else {
            Detail d = detailed();
            for (int offset = from; offset < to; offset++) {
                d.setUsed(offset, tag(use));
            }
        }
        free -= to - from;
    }

    /** Frees the pages [from, to), which all have this use. */
    void release(int from, int to, PageUse use) {
        if (detail == null && whole == use && to - from == present) {
            whole = null;
        } else {
            Detail d = detailed();
            for (int offset = from; offset < to; offset++) {
                d.setFree(offset);
            }
        }
        free += to - from;
    }

    /** Changes what a used page is used for. */
    void retag(int offset, PageUse use) {
        detailed().uses[offset] = tag(use);
    }

    /** The highest {@code end <= limit} such that the page below it is free; 0 if there is none. */
    int freeEndBelow(int limit) {
        Detail d = detail;
        if (d == null) {
            if (whole != null) {
                return 0;
            }
            for (int i = spans.length - 2; i >= 0; i -= 2) {
                if (spans[i] < limit) {
                    return Math.min(spans[i + 1], limit);
                }
            }
            return 0;
        }
        int offset = limit - 1;
        while (offset >= 0) {
            long below = d.bits[offset >>> 6] << (63 - (offset & 63));
            if (below != 0) {
                return offset - Long.numberOfLeadingZeros(below) + 1;
            }
            offset = (offset & ~63) - 1;
        }
        return 0;
    }

    /** The lowest start of the run of free pages that ends at {@code end}. */
    int freeStartBelow(int end) {
        Detail d = detail;
        if (d == null) {
            for (int i = 0; i < spans.length; i += 2) {
                if (end > spans[i] && end <= spans[i + 1]) {
                    return spans[i];
                }
            }
            throw new IllegalStateException("no free page ends at offset " + end);
        }
        int offset = end - 1;
        while (offset >= 0) {
            long used = ~d.bits[offset >>> 6] << (63 - (offset & 63));
            if (used != 0) {
                return offset - Long.numberOfLeadingZeros(used) + 1;
            }
            offset = (offset & ~63) - 1;
        }
        return 0;
    }

    private Detail detailed() {
        Detail d = detail;
        if (d == null) {
            d = new Detail();
            Arrays.fill(d.uses, ABSENT);
            byte use = whole == null ? FREE : tag(whole);
            for (int i = 0; i < spans.length; i += 2) {
                for (int offset = spans[i]; offset < spans[i + 1]; offset++) {
                    if (use == FREE) {
                        d.setFree(offset);
                    } else {
                        d.uses[offset] = use;
                    }
                }
            }
            whole = null;
            detail = d;
        }
        return d;
    }

    /** Whether bitmap, summaries, uses and the count of free pages agree. For the auditor. */
    boolean isConsistent() {
        Detail d = detail;
        if (d == null) {
            return free == (whole == null ? present : 0);
        }
        int counted = 0;
        for (int offset = 0; offset < PAGES; offset++) {
            boolean bit = d.isFree(offset);
            if (bit != (d.uses[offset] == FREE)) {
                return false;
            }
            counted += bit ? 1 : 0;
        }
        for (int word = 0; word < WORDS; word++) {
            boolean summarised = (d.summary[word >>> 6] >>> word & 1) != 0;
            if (summarised != (d.bits[word] != 0)) {
                return false;
            }
        }
        for (int group = 0; group < d.summary.length; group++) {
            if ((d.top >>> group & 1) != 0 != (d.summary[group] != 0)) {
                return false;
            }
        }
        return counted == free;
    }

    private static final PageUse[] USES = PageUse.values();

    private static byte tag(PageUse use) {
        return (byte) (use.ordinal() + 1);
    }
}
