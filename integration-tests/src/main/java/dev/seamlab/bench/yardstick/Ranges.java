// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.bench.yardstick;

import org.jspecify.annotations.Nullable;

/**
 * Refcount, bit lock and 4K metadata of each 2 MiB range, each count in a cache line of its own.
 */
final class Ranges {
    /** Words per page of metadata: owner, and epoch. */
    static final int WORDS = 2;

    private static final int STRIDE = 16;
    private static final int LOCK = 1;

    private final int[] counts;
    private final long[] @Nullable [] entries;

    Ranges(int ranges) {
        counts = new int[(ranges + 1) * STRIDE];
        entries = new long[ranges][];
    }

    /** Gives every range its metadata, as static PAMT has it since boot. */
    Ranges backed() {
        for (int r = 0; r < entries.length; r++) {
            entries[r] = new long[Tree.ENTRIES * WORDS];
        }
        return this;
    }

    /** Counts one more page of a range and makes its metadata for the first. */
    void get(int range) {
        int count = (range + 1) * STRIDE;
        if (Words.incNotZero(counts, count)) {
            return;
        }
        int lock = count + 1;
        while (!Words.cas(counts, lock, 0, LOCK)) {
            Thread.onSpinWait();
        }
        if (!Words.incNotZero(counts, count)) {
            entries[range] = new long[Tree.ENTRIES * WORDS];
            Words.release(counts, count, 1);
        }
        Words.release(counts, lock, 0);
    }

    /** Metadata of the pages of a range that is backed. */
    long[] entries(int range) {
        long[] known = entries[range];
        if (known == null) {
            throw new IllegalStateException("range " + range + " is not backed");
        }
        return known;
    }
}
