// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.bench;

/**
 * Whether the members of a crew have a core each. Two CPUs of a virtual machine may be two threads
 * of one core for a while, or share one with a neighbour; then everything takes up to twice its CPU
 * time, and a figure for two threads says what the machine's owner does, not what the program does.
 *
 * <p>All members do the same arithmetic at once, which touches no memory; it takes the same CPU
 * time each time where nobody shares the core. What it took in the best case of this process is the
 * measure.
 */
final class CoreProbe {
    /** About 50 µs: short beside an invocation, long beside a clock reading. */
    private static final int STEPS = 35_000;

    /** More than this times the best is no core of one's own; a shared one takes 1.2 to 2 times. */
    private static final double SLACK = 1.1;

    private long best = Long.MAX_VALUE;

    /** Does the arithmetic. Returns the CPU time that the calling thread took for it. */
    static long nanos() {
        long before = Tally.THREADS.getCurrentThreadCpuTime();
        long sum = arithmetic();
        long after = Tally.THREADS.getCurrentThreadCpuTime();
        // The sum is odd, so that it counts, and the compiler cannot leave it out.
        return after - before + (sum & 1) - 1;
    }

    /** Chains that do not depend on each other, so that a core has no spare slots to lend. */
    private static long arithmetic() {
        long a = 1;
        long b = 2;
        long c = 3;
        long d = 5;
        for (int i = 0; i < STEPS; i++) {
            a = a * 31 + i;
            b = (b ^ i) + (b << 3);
            c += c >>> 7 ^ i;
            d ^= d << 5;
        }
        return (a ^ b ^ c ^ d) | 1;
    }

    /** Whether a probe of this process, the longest of its members', says a core for each. */
    boolean isCalm(long nanos) {
        best = Math.min(best, nanos);
        return nanos <= SLACK * best;
    }
}
