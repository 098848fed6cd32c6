// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.sys;

import dev.seamlab.machine.Hpa;
import dev.seamlab.machine.PhysicalMemory;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.TdmrInfo;
import dev.seamlab.seam.pamt.Tdmr;

/**
 * One TDMR_INFO, copied out of the host's memory once, so that the host cannot change it between
 * check and use.
 */
final class TdmrDescription {
    static final int LEVELS = 3;

    final @Hpa long base;
    final long size;
    final @Hpa long[] pamtBase = new long[LEVELS];
    final long[] pamtSize = new long[LEVELS];
    final long[] reservedOffset = new long[TdmrInfo.RESERVED_AREAS];
    final long[] reservedSize = new long[TdmrInfo.RESERVED_AREAS];

    TdmrDescription(PhysicalMemory memory, @Hpa long info) {
        base = TdmrInfo.base(memory, info);
        size = TdmrInfo.size(memory, info);
        for (int level = PageInfo.LEVEL_4K; level < LEVELS; level++) {
            pamtBase[level] = TdmrInfo.pamtBase(memory, info, level);
            pamtSize[level] = TdmrInfo.pamtSize(memory, info, level);
        }
        for (int i = 0; i < TdmrInfo.RESERVED_AREAS; i++) {
            reservedOffset[i] = TdmrInfo.reservedOffset(memory, info, i);
            reservedSize[i] = TdmrInfo.reservedSize(memory, info, i);
        }
    }

    @Hpa
    long end() {
        return base + size;
    }

    @Hpa
    long pamtEnd(int level) {
        return pamtBase[level] + pamtSize[level];
    }

    /** Reserved areas in use; the list ends at the first of size 0. */
    int reservedAreas() {
        int n = 0;
        while (n < TdmrInfo.RESERVED_AREAS && reservedSize[n] != 0) {
            n++;
        }
        return n;
    }

    /** What a non-reserved stretch is asked. */
    @FunctionalInterface
    interface StretchTest {
        boolean holds(@Hpa long start, @Hpa long end);
    }

    /** Whether a question holds for every stretch between the reserved areas. */
    boolean allAvailable(StretchTest test) {
        @Hpa long from = base;
        for (int i = 0; i < reservedAreas(); i++) {
            @Hpa long to = base + reservedOffset[i];
            if (from < to && !test.holds(from, to)) {
                return false;
            }
            from = to + reservedSize[i];
        }
        return from >= end() || test.holds(from, end());
    }

    Tdmr toTdmr(boolean dynamic) {
        int n = reservedAreas();
        long[] starts = new long[n];
        long[] ends = new long[n];
        for (int i = 0; i < n; i++) {
            starts[i] = base + reservedOffset[i];
            ends[i] = starts[i] + reservedSize[i];
        }
        return new Tdmr(base, size, starts, ends, dynamic);
    }
}
