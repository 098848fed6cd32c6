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

    private final long[] words = new long[48];

    // REFCOUNT of even and odd epochs. A vCPU leaves on the logical CPU on which it entered, so
    // each
    // CPU's share is never below zero, and the sum is zero only if every share is.
    private final CpuCounter even;
    private final CpuCounter odd;

    TlbEpoch(int cpus) {
        words[LOCK] = SharexLock.SLOTTED;
        even = new CpuCounter(cpus);
        odd = new CpuCounter(cpus);
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
        return counter(parity).sum();
    }

    /**
     * A vCPU enters in an epoch; with the epoch lock shared. TRACK, which owns that lock, sees the
     * reader or, once the reader has left, the count.
     */
    public void enter(int cpu, long epoch) {
        counter((int) epoch & 1).add(cpu, 1);
    }

    /** A vCPU that entered in an epoch leaves, on the same CPU. */
    public void leave(int cpu, long epoch) {
        counter((int) epoch & 1).add(cpu, -1);
    }

    private CpuCounter counter(int parity) {
        return parity == 0 ? even : odd;
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
