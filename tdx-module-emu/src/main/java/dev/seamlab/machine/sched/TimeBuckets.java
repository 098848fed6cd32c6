// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.machine.sched;

/**
 * Times by powers of two. Bucket {@code i} has those above 2<sup>i-1</sup> and up to 2<sup>i</sup>
 * ns, as histograms that name the longest time of a bucket want it; the first has those of 0 ns,
 * too, and the last has no end.
 */
public final class TimeBuckets {
    /** Number of buckets; the last has everything above some 4.6 minutes. */
    public static final int COUNT = 40;

    private TimeBuckets() {}

    /** The bucket of a time in ns. */
    public static int of(long nanos) {
        return nanos <= 1
                ? 0
                : Math.min(COUNT - 1, Long.SIZE - Long.numberOfLeadingZeros(nanos - 1));
    }

    /** Longest time of a bucket, in ns. */
    public static long end(int bucket) {
        return bucket == COUNT - 1 ? Long.MAX_VALUE : 1L << bucket;
    }
}
