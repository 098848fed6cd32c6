// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.key;

import java.util.BitSet;

/**
 * WBT entry of one package: how far its cache write-back has come, and for which KeyIDs it counts
 * (facts: module ABI section 7.4).
 */
public final class CacheWriteBack {
    /** Index of the mutex in {@link #words}. */
    public static final int MUTEX = 0;

    /** Steps that the cache is divided into; an interrupt can stop between two. */
    public static final int SUB_BLOCKS = 4;

    private final long[] words = new long[1];

    // guarded by the mutex
    private final BitSet hkids = new BitSet();
    private int nextSubBlock;

    /** Words that hold the mutex. */
    public long[] words() {
        return words;
    }

    /**
     * Starts over, for the KeyIDs that are FLUSHED now; later ones have to wait.
     *
     * @return whether there is any; if not, an earlier start is forgotten only as far as its
     *     progress goes
     */
    public boolean start(KeyOwnership keys) {
        nextSubBlock = 0;
        BitSet flushed = new BitSet();
        for (int hkid = keys.first(); hkid <= keys.last(); hkid++) {
            if (keys.state(hkid) == KeyOwnership.State.FLUSHED) {
                flushed.set(hkid);
            }
        }
        if (flushed.isEmpty()) {
            return false;
        }
        hkids.clear();
        hkids.or(flushed);
        return true;
    }

    /** Whether an interrupted write-back waits to be resumed. */
    public boolean isInterrupted() {
        return nextSubBlock != 0;
    }

    /** Writes one step back. Returns whether it was the last. */
    public boolean step() {
        nextSubBlock++;
        return nextSubBlock == SUB_BLOCKS;
    }

    /** All steps done: the package's bit goes out for every KeyID of the start. */
    public void finish(KeyOwnership keys, int packageIndex) {
        nextSubBlock = 0;
        for (int hkid = hkids.nextSetBit(0); hkid >= 0; hkid = hkids.nextSetBit(hkid + 1)) {
            keys.writtenBack(hkid, packageIndex);
        }
    }
}
