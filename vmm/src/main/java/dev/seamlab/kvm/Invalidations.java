// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.machine.sched.Cells;
import dev.seamlab.machine.sched.LockRank;

/**
 * Tells faults that what they looked up without a lock may have changed (mmu_invalidate_in_progress
 * and mmu_invalidate_seq). Begin and end happen under MMU held for writing, so a fault that holds
 * it for reading sees either both words from before or both from after.
 */
final class Invalidations {
    private static final int IN_PROGRESS = 8;
    private static final int SEQUENCE = 9;

    private final long[] words = new long[24];

    /** To be noted before looking anything up. */
    long sequence() {
        return Cells.acquire(words, SEQUENCE);
    }

    /** Whether what was looked up since {@code noted} may be stale. MMU is held. */
    boolean isStale(long noted) {
        return Cells.acquire(words, IN_PROGRESS) != 0 || Cells.acquire(words, SEQUENCE) != noted;
    }

    void begin() {
        assert LockRank.Held.isHeld(LockRank.MMU);
        Cells.release(words, IN_PROGRESS, Cells.acquire(words, IN_PROGRESS) + 1);
    }

    void end() {
        assert LockRank.Held.isHeld(LockRank.MMU);
        Cells.release(words, SEQUENCE, Cells.acquire(words, SEQUENCE) + 1);
        Cells.release(words, IN_PROGRESS, Cells.acquire(words, IN_PROGRESS) - 1);
    }
}
