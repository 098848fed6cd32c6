// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.sept;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Hpa;
import dev.seamlab.machine.sched.Cells;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.SeptEntryState;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * One Secure EPT page: 512 entries, and for each entry that points at a table, that table. The
 * table is written before the entry that points at it, and read after it.
 */
public final class SeptTable {
    /** Entries of a page. */
    public static final int ENTRIES = 512;

    private static final int SHAPE = 16;

    private final @Hpa long hpa;
    private final int level;
    private final long[] words = new long[ENTRIES];

    /** For walks that begin here; clear of the array header. Null where the walk would be over. */
    private final long @Nullable [] shape;

    private final @Nullable SeptTable @Nullable [] children;

    /** A page full of free entries. */
    public SeptTable(@Hpa long hpa, int level) {
        this.hpa = hpa;
        this.level = level;
        this.children = level == PageInfo.LEVEL_4K ? null : new @Nullable SeptTable[ENTRIES];
        this.shape = level == PageInfo.LEVEL_4K ? null : new long[2 * SHAPE];
        Arrays.fill(words, SeptEntry.FREE);
    }

    /** The physical page. */
    public @Hpa long hpa() {
        return hpa;
    }

    /** Level of the entries. */
    public int level() {
        return level;
    }

    /**
     * Number of the shape of the tree below this root: another one after each change of an entry
     * above level 4K. Whoever read it before a walk and reads the same number again would end at
     * the same 4K table again.
     */
    long shape() {
        return shape == null ? 0 : Cells.acquire(shape, SHAPE);
    }

    /** An entry above level 4K has changed; after the change. */
    void reshaped() {
        if (shape != null) {
            Cells.getAndAdd(shape, SHAPE, 1);
        }
    }

    /** The entries. */
    public long[] words() {
        return words;
    }

    /** Index of the entry that covers a guest address. */
    public int indexOf(long gpa) {
        return (int) (gpa >>> PageInfo.shiftOf(level)) & (ENTRIES - 1);
    }

    /** Table behind an entry, or null. */
    public @Nullable SeptTable child(int index) {
        return children == null ? null : children[index];
    }

    /** Sets the table behind an entry; call before the entry points at it. */
    public void child(int index, @Nullable SeptTable table) {
        java.util.Objects.requireNonNull(children)[index] = table;
    }

    /** The TD is gone, and with it whatever lies below this root: keeps no table alive. */
    public void letGo() {
        if (children != null) {
            Arrays.fill(children, null);
        }
    }

    /** Whether every entry is FREE; a REMOVED one does not count as free. */
    public boolean isEmpty() {
        for (int i = 0; i < ENTRIES; i++) {
            if (!SeptEntry.is(Cells.acquire(words, i), SeptEntryState.FREE)) {
                return false;
            }
        }
        return true;
    }

    /** Fills the page with 512 leaves of one state over contiguous memory. */
    public void fillWithLeaves(@Hpa long first, SeptEntryState state) {
        long size = PageInfo.sizeOf(level);
        for (int i = 0; i < ENTRIES; i++) {
            words[i] = SeptEntry.leaf(first + i * size, state);
        }
    }

    @Override
    public String toString() {
        return "S-EPT page " + Addresses.show(hpa) + " level " + level;
    }
}
