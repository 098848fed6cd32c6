// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.pamt;

import dev.seamlab.machine.Addresses;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Storage for the 4K entries of ranges, used again: PAMT.REMOVE leaves 8 KiB behind, which the next
 * PAMT.ADD clears faster than it would get fresh memory. Keeps at most 2 MiB, so that a large TD
 * that is gone gives its memory back to the JVM.
 *
 * <p>Storage of the emulator, not state of the module: which array a range gets changes no answer,
 * so the monitor is none of the locks that a schedule decides about. No step happens under it. An
 * array given back has no user left: REMOVE holds the range's entry alone, and what a CPU remembers
 * of a range ends with that claim (see {@code LockPath}).
 */
final class SpareEntries {
    private static final int LENGTH = PamtEntry.WORDS * Addresses.PAGES_PER_RANGE;
    private static final int LIMIT = 256;

    // Guarded by this.
    private final long[] @Nullable [] spares = new long[LIMIT] @Nullable [];
    private int count;

    /** Entries of 512 free pages. */
    long[] take() {
        long[] spare = pop();
        if (spare == null) {
            return new long[LENGTH];
        }
        Arrays.fill(spare, 0);
        return spare;
    }

    private synchronized long @Nullable [] pop() {
        if (count == 0) {
            return null;
        }
        long[] top = spares[--count];
        spares[count] = null;
        return top;
    }

    /** Takes back entries that nobody uses any more. */
    synchronized void giveBack(long[] entries) {
        if (count < LIMIT) {
            spares[count++] = entries;
        }
    }
}
