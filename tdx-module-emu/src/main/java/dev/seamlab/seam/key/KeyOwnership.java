// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.key;

import dev.seamlab.machine.profile.KeyIdPartition;
import dev.seamlab.machine.sched.Cells;

/**
 * KOT: who has which KeyID, and on which packages its cache lines are still to be written back
 * before the KeyID can be given to another TD (facts: module ABI section 7.4).
 */
public final class KeyOwnership {
    /** Index of the table's lock in {@link #words}. */
    public static final int LOCK = 0;

    /** What a KeyID is used for. */
    public enum State {
        FREE,
        ASSIGNED,
        FLUSHED,
        /** The module's own key. */
        RESERVED
    }

    private static final State[] STATES = State.values();

    private final KeyIdPartition partition;
    private final long[] words = new long[1];

    // guarded by the lock, exclusively for writing
    private final int[] states;

    // Bits are cleared by several packages at once, hence atomic.
    private final long[] pendingWriteBack;

    public KeyOwnership(KeyIdPartition partition) {
        this.partition = partition;
        int all = partition.lastPrivate() + 1;
        states = new int[all];
        pendingWriteBack = new long[all];
    }

    /** Words that hold the table's lock. */
    public long[] words() {
        return words;
    }

    /** Whether a KeyID belongs to TDX. */
    public boolean isPrivate(long hkid) {
        return hkid >= partition.firstPrivate() && hkid <= partition.lastPrivate();
    }

    /** First private KeyID. */
    public int first() {
        return partition.firstPrivate();
    }

    /** Last private KeyID. */
    public int last() {
        return partition.lastPrivate();
    }

    /** What a private KeyID is used for. */
    public State state(int hkid) {
        return STATES[states[hkid]];
    }

    /** Changes what a private KeyID is used for. */
    public void state(int hkid, State next) {
        states[hkid] = next.ordinal();
    }

    /** The KeyID's vCPUs are flushed; every package has to write its caches back. */
    public void flushed(int hkid, long packages) {
        Cells.release(pendingWriteBack, hkid, packages);
        state(hkid, State.FLUSHED);
    }

    /** A package has written its caches back. */
    public void writtenBack(int hkid, int packageIndex) {
        Cells.getAndClearBits(pendingWriteBack, hkid, 1L << packageIndex);
    }

    /** Packages that have not written back yet, a bit each. */
    public long pendingWriteBack(int hkid) {
        return Cells.acquire(pendingWriteBack, hkid);
    }
}
