// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.sept;

import dev.seamlab.machine.Gpa;
import dev.seamlab.machine.sched.Cells;
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

    /**
     * Walks towards {@code target} and stops there, or above at an entry that is a leaf or gives no
     * access. Takes no lock.
     *
     * @return whether the walk reached the target level
     */
    public boolean walk(SeptTable root, @Gpa long gpa, int target) {
        assert !locked : "walk with an entry still locked";
        SeptTable at = root;
        while (true) {
            int i = at.indexOf(gpa);
            long seen = Cells.acquire(at.words(), i);
            table = at;
            index = i;
            entry = seen;
            if (at.level() == target) {
                return true;
            }
            if (!SeptEntry.isAccessible(seen) || SeptEntry.isLeaf(seen)) {
                return false;
            }
            SeptTable next = at.child(i);
            if (next != null) {
                at = next;
            }
            // Null: the entry changed after we read it; look again. Only a guest-side walk, which
            // takes no lock on the tree, can meet this.
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
