// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host;

import dev.seamlab.host.kernel.Errno;
import dev.seamlab.machine.sched.Cells;

/** The private KeyIDs that guests may have: all but the first, which is the module's own. */
public final class KeyIds {
    private static final int FIRST_WORD = 8;

    private final int first;
    private final int count;
    private final long[] taken;

    /**
     * @param first first KeyID for guests
     * @param count how many there are
     */
    KeyIds(int first, int count) {
        this.first = first;
        this.count = count;
        this.taken = new long[FIRST_WORD + (count + Long.SIZE - 1) / Long.SIZE];
    }

    /** Takes the lowest free KeyID, or answers {@link Errno#ENOSPC}, which is negative. */
    public int allocate() {
        for (int i = 0; i < count; ) {
            int word = FIRST_WORD + (i >>> 6);
            long free = ~Cells.acquire(taken, word) & mask(word);
            if (free == 0) {
                i = (i | 63) + 1;
                continue;
            }
            long bit = Long.lowestOneBit(free);
            if ((Cells.getAndSetBits(taken, word, bit) & bit) == 0) {
                return first + ((word - FIRST_WORD) << 6) + Long.numberOfTrailingZeros(bit);
            }
        }
        return Errno.ENOSPC;
    }

    /** Gives a KeyID back. */
    public void free(int hkid) {
        int index = hkid - first;
        long bit = 1L << index;
        if (index < 0
                || index >= count
                || (Cells.getAndClearBits(taken, FIRST_WORD + (index >>> 6), bit) & bit) == 0) {
            throw new IllegalStateException("KeyID " + hkid + " is not assigned to a guest");
        }
    }

    /** The first KeyID that guests may have; the others follow. */
    public int first() {
        return first;
    }

    /** Whether a KeyID is taken by a guest, or leaked. */
    public boolean isTaken(int hkid) {
        int index = hkid - first;
        return (Cells.acquire(taken, FIRST_WORD + (index >>> 6)) >>> index & 1) != 0;
    }

    /** KeyIDs that guests may have, taken or not. */
    public int total() {
        return count;
    }

    /** KeyIDs taken by guests, leaked ones included. */
    public int used() {
        int sum = 0;
        for (int word = FIRST_WORD; word < taken.length; word++) {
            sum += Long.bitCount(Cells.acquire(taken, word));
        }
        return sum;
    }

    /** KeyIDs that can be allocated now. */
    public int free() {
        return count - used();
    }

    private long mask(int word) {
        int bits = Math.min(Long.SIZE, count - ((word - FIRST_WORD) << 6));
        return bits == Long.SIZE ? -1L : (1L << bits) - 1;
    }
}
