// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.pamt;

import dev.seamlab.machine.Hpa;

/** One trust domain memory region as SYS.CONFIG accepted it (facts: module ABI section 4.2). */
public final class Tdmr {
    private final @Hpa long base;
    private final long size;
    private final long[] reservedStart;
    private final long[] reservedEnd;
    private final boolean dynamic;

    // guarded by the mutex in lock[MUTEX]
    private @Hpa long initialisedUpTo;
    private final long[] lock = new long[1];

    /**
     * @param reservedStart first byte of each reserved area, an address, ascending
     * @param reservedEnd first byte after each
     * @param dynamic whether PAMT_4K is the page bitmap of Dynamic PAMT
     */
    public Tdmr(
            @Hpa long base, long size, long[] reservedStart, long[] reservedEnd, boolean dynamic) {
        this.base = base;
        this.size = size;
        this.reservedStart = reservedStart.clone();
        this.reservedEnd = reservedEnd.clone();
        this.dynamic = dynamic;
        this.initialisedUpTo = base;
    }

    /** First byte. */
    public @Hpa long base() {
        return base;
    }

    /** First byte after the region. */
    public @Hpa long end() {
        return base + size;
    }

    /** Words of the mutex that SYS.TDMR.INIT takes; it stands at index 0. */
    public long[] mutex() {
        return lock;
    }

    /** First byte whose metadata SYS.TDMR.INIT has not initialised. Guarded by the mutex. */
    public @Hpa long initialisedUpTo() {
        return initialisedUpTo;
    }

    void initialisedUpTo(@Hpa long hpa) {
        initialisedUpTo = hpa;
    }

    boolean dynamic() {
        return dynamic;
    }

    /** Whether a stretch has a byte in common with a reserved area. */
    boolean hasReserved(@Hpa long hpa, long bytes) {
        for (int i = 0; i < reservedStart.length; i++) {
            if (hpa < reservedEnd[i] && reservedStart[i] < hpa + bytes) {
                return true;
            }
        }
        return false;
    }

    /** Receives a stretch of addresses. */
    interface Stretch {
        void lies(@Hpa long start, @Hpa long end);
    }

    /** Shows the reserved areas of a stretch, cut to it. */
    void forEachReserved(@Hpa long hpa, long bytes, Stretch visitor) {
        for (int i = 0; i < reservedStart.length; i++) {
            long start = Math.max(hpa, reservedStart[i]);
            long end = Math.min(hpa + bytes, reservedEnd[i]);
            if (start < end) {
                visitor.lies(start, end);
            }
        }
    }
}
