// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.sept;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Gpa;
import dev.seamlab.machine.sched.Cells;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.lock.SharexLock;
import org.jspecify.annotations.Nullable;

/**
 * Where a walk of the Secure EPT ended, and the lock of that entry if it was taken. One per logical
 * CPU and side, used again for every call.
 */
public final class SeptCursor {
    private @Nullable SeptTable table;
    private int index;
    private long entry;
    private boolean locked;

    // Where the last walk began, and the 4K table it came to, if it came to one. Valid while the
    // shape of the tree has that number.
    private @Nullable SeptTable knownRoot;
    private @Nullable SeptTable knownTable;
    private long knownShape;
    private long knownRange;

    /**
     * Walks towards {@code target} and stops there, or above at an entry that is a leaf or gives no
     * access. Takes no lock.
     *
     * <p>A walk to a 4K entry beside the last one goes to the same table at once, unless an entry
     * above it has changed since.
     *
     * @return whether the walk reached the target level
     */
    public boolean walk(SeptTable root, @Gpa long gpa, int target) {
        assert !locked : "walk with an entry still locked";
        long shape = root.shape();
        if (target == PageInfo.LEVEL_4K
                && root == knownRoot
                && shape == knownShape
                && gpa >>> Addresses.RANGE_SHIFT == knownRange
                && knownTable != null) {
            stopAt(knownTable, gpa);
            return true;
        }
        return walkDown(root, shape, gpa, target);
    }

    private boolean walkDown(SeptTable root, long shape, @Gpa long gpa, int target) {
        SeptTable at = root;
        while (true) {
            long seen = stopAt(at, gpa);
            if (at.level() == target) {
                remember(root, shape, gpa, at);
                return true;
            }
            if (!SeptEntry.isAccessible(seen) || SeptEntry.isLeaf(seen)) {
                remember(root, shape, gpa, at);
                return false;
            }
            SeptTable next = at.child(index);
            if (next != null) {
                at = next;
            }
            // Null: the entry changed after we read it; look again. Only a guest-side walk, which
            // takes no lock on the tree, can meet this.
        }
    }

    private long stopAt(SeptTable at, @Gpa long gpa) {
        int i = at.indexOf(gpa);
        long seen = Cells.acquire(at.words(), i);
        if (table != at) {
            table = at; // only where it changes: a reference written marks a card
        }
        index = i;
        entry = seen;
        return seen;
    }

    /**
     * Keeps where the walk came to. The number of the shape was read before the walk, so a change
     * meanwhile makes what is kept invalid.
     */
    private void remember(SeptTable root, long shape, @Gpa long gpa, SeptTable at) {
        if (knownRoot != root) {
            knownRoot = root;
        }
        if (at.level() == PageInfo.LEVEL_4K) {
            knownTable = at;
            knownShape = shape;
            knownRange = gpa >>> Addresses.RANGE_SHIFT;
        } else {
            knownTable = null;
        }
    }

    /** Host: locks the entry and reads it again. Returns false if it is busy. */
    public boolean lock() {
        if (!SeptEntry.tryLock(words(), index)) {
            return false;
        }
        entered();
        return true;
    }

    /** Guest: locks the entry and reads it again. Returns an outcome of {@link SharexLock}. */
    public int lockAsGuest() {
        int outcome = SeptEntry.tryLockAsGuest(words(), index);
        if (outcome == SharexLock.TAKEN) {
            entered();
        }
        return outcome;
    }

    /** Whether the entry, as the walk read it, was neither locked nor wanted by a host call. */
    public boolean isUnlocked() {
        return (entry & (SeptEntry.LOCK | SeptEntry.HOST_PRIORITY)) == 0;
    }

    /** The entry as last read, without its lock bits. */
    public long entry() {
        return entry & ~(SeptEntry.LOCK | SeptEntry.HOST_PRIORITY);
    }

    /** Reads the entry again, where another lock protects it. */
    public void reread() {
        entry = Cells.acquire(words(), index);
    }

    /** Level that the walk reached. */
    public int level() {
        return table().level();
    }

    /** Table with the entry. */
    public SeptTable table() {
        return java.util.Objects.requireNonNull(table);
    }

    /** Place of the entry in {@link #table}. */
    public int index() {
        return index;
    }

    /** Table that the entry points at. */
    public SeptTable child() {
        return java.util.Objects.requireNonNull(table().child(index));
    }

    /** Writes the entry and drops its lock in one step. */
    public void commit(long value) {
        SeptEntry.commit(words(), index, value);
        entry = value;
        locked = false;
        if (level() != PageInfo.LEVEL_4K) {
            java.util.Objects.requireNonNull(knownRoot).reshaped();
        }
    }

    /** Drops the lock if it is held; the entry keeps its value. */
    public void unlockIfHeld() {
        if (locked) {
            locked = false;
            SeptEntry.unlock(words(), index);
        }
    }

    private void entered() {
        locked = true;
        entry = Cells.acquire(words(), index);
    }

    private long[] words() {
        return table().words();
    }
}
