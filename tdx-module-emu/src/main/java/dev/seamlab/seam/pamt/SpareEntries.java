// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.pamt;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Hpa;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Storage for the 4K entries of ranges, used again: PAMT.REMOVE leaves 8 KiB behind, which the next
 * PAMT.ADD of that range clears faster than it would get fresh memory. Keeps at most 2 MiB, so that
 * a large TD that is gone gives its memory back to the JVM.
 *
 * <p>A range gets its own array or a fresh one, never one that another range had: which words a
 * call touches must not depend on the order of calls before it, or orders that the explorer takes
 * for equal would not be.
 *
 * <p>Storage of the emulator, not state of the module, so its monitor is none of the locks that a
 * schedule decides about. No step happens under it. An array given back has no user left: REMOVE
 * holds the range's entry alone, and what a CPU remembers of a range ends with that claim (see
 * {@code LockPath}).
 */
final class SpareEntries {
    private static final int LENGTH = PamtEntry.WORDS * Addresses.PAGES_PER_RANGE;
    private static final int PLACES = 256;

    // Guarded by this. A range has one place, which it shares with others.
    private final long[] @Nullable [] spares = new long[PLACES] @Nullable [];
    private final long[] ranges = new long[PLACES];

    /** Entries of 512 free pages, for the range of a page. */
    long[] take(@Hpa long hpa) {
        long[] spare = find(hpa >>> Addresses.RANGE_SHIFT);
        if (spare == null) {
            return new long[LENGTH];
        }
        Arrays.fill(spare, 0);
        return spare;
    }

    private synchronized long @Nullable [] find(long range) {
        int place = (int) range & (PLACES - 1);
        long[] spare = ranges[place] == range ? spares[place] : null;
        if (spare != null) {
            spares[place] = null;
        }
        return spare;
    }

    /** Takes back the entries of a page's range that nobody uses any more. */
    synchronized void giveBack(@Hpa long hpa, long[] entries) {
        long range = hpa >>> Addresses.RANGE_SHIFT;
        int place = (int) range & (PLACES - 1);
        spares[place] = entries;
        ranges[place] = range;
    }
}
