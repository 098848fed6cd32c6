// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Pfn;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Arrays;
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
    private static final VarHandle UNITS = MethodHandles.arrayElementVarHandle(FrameWords[].class);

    private final long pages;
    private final boolean narrow;
    private final @Nullable FrameWords[] units;

    /**
     * @param frames first page frame that the host does not have
     */
    PageTable512(long pages, @Pfn long frames) {
        this.pages = pages;
        this.narrow = frames <= FrameWords.NARROW_LIMIT;
        this.units = new FrameWords[(int) ((pages + UNIT - 1) >>> UNIT_SHIFT)];
    }

    /** Number of guest pages. */
    long pages() {
        return pages;
    }

    /** The page at an index, or {@link #NONE}. */
    @Pfn
    long get(long index) {
        FrameWords unit = unitOrNull((int) (index >>> UNIT_SHIFT));
        return unit == null ? NONE : unit.get(at(index));
    }

    /** Puts a page where none is. Returns whether it did. */
    boolean putIfNone(long index, @Pfn long pfn) {
        return unit(index).cas(at(index), NONE, pfn);
    }

    /**
     * Puts contiguous pages into a whole unit where no page has ever been.
     *
     * @param index of the unit's first page
     * @return whether it did
     */
    boolean putUnitIfNone(long index, @Pfn long first) {
        FrameWords fresh = FrameWords.create(narrow);
        for (int i = 0; i < UNIT; i++) {
            boolean set = fresh.cas(i, NONE, first + i);
            assert set : "somebody else has the words already";
        }
        return UNITS.compareAndSet(units, (int) (index >>> UNIT_SHIFT), (FrameWords) null, fresh);
    }

    /** First page of the unit at an index if its pages are contiguous and aligned, or NONE. */
    @Pfn
    long contiguousUnit(long index) {
        FrameWords unit = unitOrNull((int) (index >>> UNIT_SHIFT));
        long first = unit == null ? NONE : unit.get(0);
        if (unit == null || first == NONE || first % UNIT != 0) {
            return NONE;
        }
        for (int i = 1; i < UNIT; i++) {
            if (unit.get(i) != first + i) {
                return NONE;
            }
        }
        return first;
    }

    /** Takes the page at an index away and returns it, or {@link #NONE}. */
    @Pfn
    long take(long index) {
        FrameWords unit = unitOrNull((int) (index >>> UNIT_SHIFT));
        while (unit != null) {
            long pfn = unit.get(at(index));
            if (pfn == NONE || unit.cas(at(index), pfn, NONE)) {
                return pfn;
            }
        }
        return NONE;
    }

    /** Forgets all units, none of which has a page left. Nobody else is at work. */
    void letGo() {
        Arrays.fill(units, null);
    }

    /** Whether a whole 2 MiB unit has never had a page. */
    boolean isUntouched(long index) {
        return unitOrNull((int) (index >>> UNIT_SHIFT)) == null;
    }

    /** Shows every page. */
    void forEach(Visitor visitor) {
        for (int u = 0; u < units.length; u++) {
            FrameWords unit = unitOrNull(u);
            if (unit == null) {
                continue;
            }
            for (int i = 0; i < UNIT; i++) {
                long pfn = unit.get(i);
                if (pfn != NONE) {
                    visitor.page(((long) u << UNIT_SHIFT) + i, pfn);
                }
            }
        }
    }

    private FrameWords unit(long index) {
        int u = (int) (index >>> UNIT_SHIFT);
        FrameWords unit = unitOrNull(u);
        if (unit != null) {
            return unit;
        }
        FrameWords fresh = FrameWords.create(narrow);
        FrameWords seen = (FrameWords) UNITS.compareAndExchange(units, u, (FrameWords) null, fresh);
        return seen == null ? fresh : seen;
    }

    private @Nullable FrameWords unitOrNull(int u) {
        return (FrameWords) UNITS.getAcquire(units, u);
    }

    private static int at(long index) {
        return (int) index & (UNIT - 1);
    }
}
