// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.td;

import dev.seamlab.machine.sched.Waits;

/**
 * The invariant time stamp counter of the emulated CPU, 2.1 GHz, and what a TD makes of it.
 *
 * <p>A TD's counter starts at zero in MNG.INIT and advances at the TD's own frequency: {@code
 * virtual = (native * multiplier >> 48) + offset}. No guest instruction of the model reads it; host
 * and debugger see multiplier and offset in metadata.
 */
public final class TimeStampCounter {
    /** Ticks per second; the module asserts that it fits into 32 bits. */
    public static final long NATIVE_HZ = 2_100_000_000L;

    /** Unit of TSC_FREQUENCY in TD_PARAMS, in Hz. */
    public static final long VIRTUAL_UNIT_HZ = 25_000_000L;

    private static final long MICROS_PER_SECOND = 1_000_000L;
    private static final long TICKS_PER_10_NANOS = NATIVE_HZ / 100_000_000L;
    private static final int FRACTION_BITS = 48;
    private static final int HALF_BITS = FRACTION_BITS / 2;

    private TimeStampCounter() {}

    /** The counter now. */
    public static long now() {
        return Waits.nanoTime() / 10 * TICKS_PER_10_NANOS;
    }

    /** TSC_MULTIPLIER of a TD with this TSC_FREQUENCY, in units of {@value #VIRTUAL_UNIT_HZ} Hz. */
    public static long multiplier(int frequency) {
        long hz = frequency * VIRTUAL_UNIT_HZ;
        // hz << 48 does not fit in 64 bits, so that the quotient is made in two halves of 24.
        long high = hz / NATIVE_HZ;
        long rest = hz % NATIVE_HZ;
        long upper = (rest << HALF_BITS) / NATIVE_HZ;
        rest = (rest << HALF_BITS) % NATIVE_HZ;
        long lower = (rest << HALF_BITS) / NATIVE_HZ;
        return high << FRACTION_BITS | upper << HALF_BITS | lower;
    }

    /** TSC_OFFSET with which a TD's counter is zero at a native time. */
    public static long offsetForZero(long nativeTicks, long multiplier) {
        long high = Math.unsignedMultiplyHigh(nativeTicks, multiplier);
        long low = nativeTicks * multiplier;
        return -(high << (Long.SIZE - FRACTION_BITS) | low >>> FRACTION_BITS);
    }

    /** Ticks in a number of microseconds, at most 2^32 of them. */
    public static long ticks(long micros) {
        return micros * NATIVE_HZ / MICROS_PER_SECOND;
    }

    /** Microseconds in a number of ticks below 2^32. */
    public static long micros(long ticks) {
        return ticks * MICROS_PER_SECOND / NATIVE_HZ;
    }
}
