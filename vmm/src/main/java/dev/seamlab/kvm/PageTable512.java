// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Pfn;
import dev.seamlab.machine.sched.Cells;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import org.jspecify.annotations.Nullable;

/**
 * A host page per guest page of a slot, as words that are updated by compare-and-set; 2 MiB of
 * guest memory cost nothing until the first page appears there.
 */
final class PageTable512 {
    /** No page. Frame 0 is never handed out, so 0 is free to say so. */
    static final @Pfn long NONE = 0;

    /** Shows one page. */
    interface Visitor {
        void page(long index, @Pfn long pfn);
    }

    private static final int UNIT_SHIFT = Addresses.RANGE_SHIFT - Addresses.PAGE_SHIFT;
    private static final int UNIT = Addresses.PAGES_PER_RANGE;
    private static final int FIRST = 16;
    private static final VarHandle UNITS = MethodHandles.arrayElementVarHandle(long[][].class);

    private final long pages;
    private final long[] @Nullable [] units;

    PageTable512(long pages) {
        this.pages = pages;
        this.units = new long[(int) ((pages + UNIT - 1) >>> UNIT_SHIFT)] @Nullable [];
    }

    /** Number of guest pages. */
    long pages() {
        return pages;
    }

    /** The page at an index, or {@link #NONE}. */
    @Pfn
    long get(long index) {
        long[] unit = unitOrNull((int) (index >>> UNIT_SHIFT));
        return unit == null ? NONE : Cells.acquire(unit, at(index));
    }

    /** Puts a page where none is. Returns whether it did. */
    boolean putIfNone(long index, @Pfn long pfn) {
        return Cells.cas(unit(index), at(index), NONE, pfn);
    }

    /** Takes the page at an index away and returns it, or {@link #NONE}. */
    @Pfn
    long take(long index) {
        long[] unit = unitOrNull((int) (index >>> UNIT_SHIFT));
        while (unit != null) {
            long pfn = Cells.acquire(unit, at(index));
            if (pfn == NONE || Cells.cas(unit, at(index), pfn, NONE)) {
                return pfn;
            }
        }
        return NONE;
    }

    /** Whether a whole 2 MiB unit has never had a page. */
    boolean isUntouched(long index) {
        return unitOrNull((int) (index >>> UNIT_SHIFT)) == null;
    }

    /** Shows every page. */
    void forEach(Visitor visitor) {
        for (int u = 0; u < units.length; u++) {
            long[] unit = unitOrNull(u);
            if (unit == null) {
                continue;
            }
            for (int i = 0; i < UNIT; i++) {
                long pfn = Cells.acquire(unit, FIRST + i);
                if (pfn != NONE) {
                    visitor.page(((long) u << UNIT_SHIFT) + i, pfn);
                }
            }
        }
    }

    private long[] unit(long index) {
        int u = (int) (index >>> UNIT_SHIFT);
        long[] unit = unitOrNull(u);
        if (unit != null) {
            return unit;
        }
        long[] fresh = new long[FIRST + UNIT];
        long[] seen = (long[]) UNITS.compareAndExchange(units, u, (long[]) null, fresh);
        return seen == null ? fresh : seen;
    }

    private long @Nullable [] unitOrNull(int u) {
        return (long[]) UNITS.getAcquire(units, u);
    }

    private static int at(long index) {
        return FIRST + ((int) index & (UNIT - 1));
    }
}
