// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.machine.Addresses;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Arrays;

/**
 * Which pages of a slot are private. Written under SLOTS, by replacing 64-byte pieces; faults read
 * without a lock, and the invalidation around each change makes them look again.
 */
final class Attributes {
    private static final int UNIT_SHIFT = Addresses.RANGE_SHIFT - Addresses.PAGE_SHIFT;
    private static final int UNIT = Addresses.PAGES_PER_RANGE;
    private static final int WORDS = UNIT / Long.SIZE;
    private static final VarHandle UNITS = MethodHandles.arrayElementVarHandle(long[][].class);
    private static final long[] ALL_SHARED = new long[WORDS];
    private static final long[] ALL_PRIVATE = filled();

    private final long pages;
    private final long[][] units;

    /** All pages start shared, as in KVM. */
    Attributes(long pages) {
        this.pages = pages;
        this.units = new long[(int) ((pages + UNIT - 1) >>> UNIT_SHIFT)][];
        Arrays.fill(units, ALL_SHARED);
    }

    boolean isPrivate(long index) {
        return isPrivate(unit((int) (index >>> UNIT_SHIFT)), index);
    }

    /** Whether all pages of the 2 MiB unit that begins at an index are private. */
    boolean isAllPrivate(long index) {
        return ones(unit((int) (index >>> UNIT_SHIFT))) == UNIT;
    }

    /** Sets a range; returns how many pages changed. */
    long set(long from, long to, boolean isPrivate) {
        assert from >= 0 && from < to && to <= pages : from + ".." + to + " of " + pages;
        long changed = 0;
        long index = from;
        while (index < to) {
            int u = (int) (index >>> UNIT_SHIFT);
            long end = Math.min(to, ((long) u + 1) << UNIT_SHIFT);
            long[] old = unit(u);
            long[] fresh;
            if (end - index == UNIT) {
                fresh = isPrivate ? ALL_PRIVATE : ALL_SHARED;
                changed += isPrivate ? UNIT - ones(old) : ones(old);
            } else {
                fresh = Arrays.copyOf(old, WORDS);
                changed += setBits(fresh, index, end, isPrivate);
            }
            UNITS.setRelease(units, u, fresh);
            index = end;
        }
        return changed;
    }

    private long[] unit(int u) {
        return (long[]) UNITS.getAcquire(units, u);
    }

    private static long setBits(long[] words, long from, long to, boolean value) {
        long changed = 0;
        for (long index = from; index < to; index++) {
            if (isPrivate(words, index) != value) {
                words[word(index)] ^= 1L << index;
                changed++;
            }
        }
        return changed;
    }

    private static boolean isPrivate(long[] words, long index) {
        return (words[word(index)] >>> index & 1) != 0;
    }

    private static int word(long index) {
        return (int) (index & (UNIT - 1)) / Long.SIZE;
    }

    private static long ones(long[] words) {
        return Arrays.stream(words).map(Long::bitCount).sum();
    }

    private static long[] filled() {
        long[] words = new long[WORDS];
        Arrays.fill(words, -1L);
        return words;
    }
}
