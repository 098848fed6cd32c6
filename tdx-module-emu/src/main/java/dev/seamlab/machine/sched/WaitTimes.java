// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.machine.sched;

import java.util.concurrent.atomic.AtomicLongArray;

/**
 * How long threads waited for one lock. Only a thread that did wait comes here, so the clock is
 * read, and shared words are written, on contended paths alone: taking a free lock costs nothing
 * more than before.
 *
 * <p>They are counted in {@link TimeBuckets}. No thread relies on these words, so they are no steps
 * of the scheduling seam.
 */
public final class WaitTimes {
    /** What nobody has waited for yet. */
    public static final Snapshot NONE = new Snapshot(0, 0, 0, new long[TimeBuckets.COUNT]);

    private static final int FIRST_BUCKET = 16;
    private static final int TOTAL = FIRST_BUCKET + TimeBuckets.COUNT;
    private static final int LONGEST = TOTAL + 1;

    private final AtomicLongArray words = new AtomicLongArray(LONGEST + 16);

    /**
     * The waits so far.
     *
     * @param waits how many
     * @param totalNanos their sum
     * @param longestNanos the longest
     * @param buckets waits by {@link TimeBuckets}
     */
    @SuppressWarnings("ArrayRecordComponent") // made for one reader, who may as well own it
    public record Snapshot(long waits, long totalNanos, long longestNanos, long[] buckets) {
        /** Both taken together. */
        public Snapshot plus(Snapshot other) {
            long[] sum = buckets.clone();
            for (int i = 0; i < TimeBuckets.COUNT; i++) {
                sum[i] += other.buckets[i];
            }
            return new Snapshot(
                    waits + other.waits,
                    totalNanos + other.totalNanos,
                    Math.max(longestNanos, other.longestNanos),
                    sum);
        }

        /**
         * A bound in ns that this share of the waits did not exceed: the upper end of its bucket,
         * so at most twice the truth.
         *
         * @param share 0 to 1
         */
        public long atMost(double share) {
            long wanted = (long) Math.ceil(share * waits);
            long seen = 0;
            for (int i = 0; i < TimeBuckets.COUNT; i++) {
                seen += buckets[i];
                if (seen >= wanted && seen > 0) {
                    return Math.min(longestNanos, TimeBuckets.end(i));
                }
            }
            return longestNanos;
        }
    }

    /** Notes one wait. */
    void waited(long nanos) {
        words.getAndIncrement(FIRST_BUCKET + TimeBuckets.of(nanos));
        words.getAndAdd(TOTAL, Math.max(0, nanos));
        words.accumulateAndGet(LONGEST, nanos, Math::max);
    }

    /** The waits so far; one that is just being noted may be there in part. */
    Snapshot snapshot() {
        long[] buckets = new long[TimeBuckets.COUNT];
        long waits = 0;
        for (int i = 0; i < TimeBuckets.COUNT; i++) {
            buckets[i] = words.getAcquire(FIRST_BUCKET + i);
            waits += buckets[i];
        }
        return new Snapshot(waits, words.getAcquire(TOTAL), words.getAcquire(LONGEST), buckets);
    }
}
