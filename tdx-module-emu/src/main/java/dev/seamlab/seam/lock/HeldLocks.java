// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.lock;

/**
 * The locks that one call has taken so far, so that every way out of a leaf gives all of them back.
 * Belongs to one logical CPU; allocates nothing after construction.
 */
public final class HeldLocks {
    // The longest chains, DEMOTE and PROMOTE, need 3 + 2 + 4 * 3 + 1 + 2 * 3.
    private static final int CAPACITY = 32;

    private final long[][] words = new long[CAPACITY][];
    private final int[] at = new int[CAPACITY];
    private final boolean[] exclusive = new boolean[CAPACITY];
    private int count;

    /** Takes a lock shared, or says that it is busy. */
    public boolean share(long[] lock, int index) {
        return SharexLock.tryShare(lock, index) && push(lock, index, false);
    }

    /** Takes a lock exclusively, or says that it is busy. */
    public boolean exclusive(long[] lock, int index) {
        return SharexLock.tryExclusive(lock, index) && push(lock, index, true);
    }

    /** Takes a lock in one of the two ways. */
    public boolean take(long[] lock, int index, boolean alone) {
        return alone ? exclusive(lock, index) : share(lock, index);
    }

    /** Turns the lock taken last from shared to exclusive, or says that it is busy. */
    public boolean upgradeLast() {
        int last = count - 1;
        assert !exclusive[last] : "upgrade of an exclusive lock";
        if (!SharexLock.tryUpgrade(words[last], at[last])) {
            return false;
        }
        exclusive[last] = true;
        return true;
    }

    /** Place in the list, for {@link #releaseTo}. */
    public int mark() {
        return count;
    }

    /** Gives back, latest first, everything taken since a mark. */
    public void releaseTo(int mark) {
        while (count > mark) {
            count--;
            if (exclusive[count]) {
                SharexLock.releaseExclusive(words[count], at[count]);
            } else {
                SharexLock.releaseShare(words[count], at[count]);
            }
        }
    }

    /** Gives back one lock out of order, as VP.ENTER does with OP_STATE before it enters. */
    @SuppressWarnings("ReferenceEquality") // a lock is a place in one certain array
    public void release(long[] lock, int index) {
        for (int i = count - 1; i >= 0; i--) {
            if (words[i] == lock && at[i] == index) {
                if (exclusive[i]) {
                    SharexLock.releaseExclusive(lock, index);
                } else {
                    SharexLock.releaseShare(lock, index);
                }
                int behind = count - i - 1;
                System.arraycopy(words, i + 1, words, i, behind);
                System.arraycopy(at, i + 1, at, i, behind);
                System.arraycopy(exclusive, i + 1, exclusive, i, behind);
                count--;
                return;
            }
        }
        throw new AssertionError("release of a lock that this call does not hold");
    }

    /** Gives back everything. */
    public void releaseAll() {
        releaseTo(0);
    }

    private boolean push(long[] lock, int index, boolean alone) {
        words[count] = lock;
        at[count] = index;
        exclusive[count] = alone;
        count++;
        return true;
    }
}
