// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.machine.Addresses;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Arrays;

/**
 * Which pages of a slot are private: a bit each, in pieces of 64 bytes for 2 MiB, of which most are
 * one of two that all share. Written under SLOTS, word by word; faults read without a lock, and the
 * invalidation around each change makes them look again.
 */
@SuppressWarnings("ReferenceEquality") // the shared pieces are meant themselves
final class Attributes {
    private static final int UNIT_SHIFT = Addresses.RANGE_SHIFT - Addresses.PAGE_SHIFT;
    private static final int UNIT = Addresses.PAGES_PER_RANGE;
    private static final int WORDS = UNIT / Long.SIZE;
    private static final VarHandle UNITS = MethodHandles.arrayElementVarHandle(long[][].class);
    private static final VarHandle BITS = MethodHandles.arrayElementVarHandle(long[].class);
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
        long[] unit = unit((int) (index >>> UNIT_SHIFT));
        for (int word = 0; word < WORDS; word++) {
            if ((long) BITS.getAcquire(unit, word) != -1L) {
                return false;
            }
        }
        return true;
    }

    /** The same, where they became so in one step: one look, and it may miss others. */
    boolean isUniformlyPrivate(long index) {
        return unit((int) (index >>> UNIT_SHIFT)) == ALL_PRIVATE;
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
            if (end - index == UNIT) {
                changed += isPrivate ? UNIT - ones(old) : ones(old);
                UNITS.setRelease(units, u, isPrivate ? ALL_PRIVATE : ALL_SHARED);
            } else {
                changed += setBits(ownUnit(u, old), index, end, isPrivate);
            }
            index = end;
        }
        return changed;
    }

    private long[] unit(int u) {
        return (long[]) UNITS.getAcquire(units, u);
    }

    /** The piece itself, or in its place a copy of the one that it shares with others. */
    private long[] ownUnit(int u, long[] unit) {
        if (unit != ALL_SHARED && unit != ALL_PRIVATE) {
            return unit;
        }
        long[] own = unit.clone();
        UNITS.setRelease(units, u, own);
        return own;
    }

    private static long setBits(long[] words, long from, long to, boolean value) {
        long changed = 0;
        for (long index = from; index < to; ) {
            long end = Math.min(to, (index | (Long.SIZE - 1)) + 1);
            long mask = (-1L >>> (Long.SIZE - (end - index))) << index;
            long old = words[word(index)];
            long next = value ? old | mask : old & ~mask;
            changed += Long.bitCount(old ^ next);
            BITS.setRelease(words, word(index), next);
            index = end;
        }
        return changed;
    }

    private static boolean isPrivate(long[] words, long index) {
        return ((long) BITS.getAcquire(words, word(index)) >>> index & 1) != 0;
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
