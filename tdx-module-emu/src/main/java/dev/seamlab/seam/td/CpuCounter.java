// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.td;

import dev.seamlab.machine.sched.Cells;

/**
 * A number that every logical CPU changes in a word of its own, by a plain store on a cache line
 * that no other CPU writes; the value is the sum. Reading looks at all words, so this is for
 * numbers that change in every call and are asked for rarely.
 *
 * <p>The sum is exact while nobody changes it, and never wrong by more than the changes under way.
 */
final class CpuCounter {
    private static final int STRIDE = 16;

    private final long[] words;

    CpuCounter(int cpus) {
        words = new long[(cpus + 2) * STRIDE];
    }

    /** Adds, on a logical CPU that executes this call. */
    void add(int cpu, long delta) {
        int at = (cpu + 1) * STRIDE;
        Cells.release(words, at, words[at] + delta);
    }

    /** The sum over all CPUs. */
    long sum() {
        long sum = 0;
        for (int at = STRIDE; at < words.length - STRIDE; at += STRIDE) {
            sum += Cells.acquire(words, at);
        }
        return sum;
    }
}
