// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.mem;

/**
 * How many pages somebody took for a use, less those given back by the same: one of many such
 * shares, whose sum is the truth. One writer at a time, so that counting costs no shared line; a
 * reader sees the truth once the writers are at rest. A share may be negative.
 */
final class Tally {
    // Clear of the array's length and of whatever stands behind the array.
    private static final int FIRST = 8;

    private final long[] counts = new long[FIRST + PageUse.COUNT + FIRST];

    void add(PageUse use, long pages) {
        counts[FIRST + use.ordinal()] += pages;
    }

    void addTo(long[] sums) {
        for (int i = 0; i < PageUse.COUNT; i++) {
            sums[i] += counts[FIRST + i];
        }
    }

    /** Takes over another's share; its writer is done. */
    void merge(Tally other) {
        for (int i = FIRST; i < FIRST + PageUse.COUNT; i++) {
            counts[i] += other.counts[i];
            other.counts[i] = 0;
        }
    }
}
