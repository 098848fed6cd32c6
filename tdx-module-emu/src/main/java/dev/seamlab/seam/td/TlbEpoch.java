// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.td;

import dev.seamlab.machine.sched.Cells;
import dev.seamlab.seam.lock.SharexLock;

/**
 * TLB tracking of a TD: the epoch, and how many vCPUs run that entered in even and odd epochs
 * (facts: module ABI section 8.4).
 */
public final class TlbEpoch {
    /** Index of the epoch lock in {@link #words}. */
    public static final int LOCK = 0;

    private static final int EPOCH = 16;
    private static final int REFCOUNT = 32;
    private static final int SPACING = 16;

    private final long[] words = new long[80];

    TlbEpoch() {
        words[LOCK] = SharexLock.SLOTTED;
    }

    /** Words that hold the epoch lock. */
    public long[] words() {
        return words;
    }

    /** TD_EPOCH. */
    public long epoch() {
        return Cells.acquire(words, EPOCH);
    }

    /** First epoch; MNG.INIT. */
    public void start() {
        Cells.release(words, EPOCH, 1);
    }

    /** REFCOUNT of even (0) or odd (1) epochs. */
    public long running(int parity) {
        return Cells.acquire(words, REFCOUNT + SPACING * parity);
    }

    /** A vCPU enters in an epoch; with the epoch lock shared. */
    public void enter(long epoch) {
        Cells.getAndAdd(words, REFCOUNT + SPACING * (int) (epoch & 1), 1);
    }

    /** A vCPU that entered in an epoch leaves. */
    public void leave(long epoch) {
        long before = Cells.getAndAdd(words, REFCOUNT + SPACING * (int) (epoch & 1), -1);
        assert before > 0 : "more exits than entries";
    }

    /** Starts the next epoch, unless vCPUs of the one before the current still run. */
    public boolean tryAdvance() {
        long now = epoch();
        if (running((int) (1 - (now & 1))) != 0) {
            return false;
        }
        Cells.release(words, EPOCH, now + 1);
        return true;
    }

    /** Whether no vCPU can still hold a translation of a page blocked in an epoch. */
    public boolean isTracked(long bepoch) {
        long now = epoch();
        return bepoch < now - 1 || (bepoch == now - 1 && running((int) (bepoch & 1)) == 0);
    }
}
