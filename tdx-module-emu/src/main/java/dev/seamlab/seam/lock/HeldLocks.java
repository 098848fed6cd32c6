// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.lock;

import dev.seamlab.machine.sched.Cells;
import java.lang.invoke.VarHandle;

/**
 * The locks that one call has taken so far, so that every way out of a leaf gives all of them back.
 * Belongs to one logical CPU; allocates nothing after construction.
 *
 * <p>The list is the CPU's reader slot as well. The locks that every vCPU of a TD shares in every
 * call (TDR, OP_STATE, Secure EPT tree, epoch, the upper PAMT entries) are marked {@link
 * SharexLock#SLOTTED}: a reader does not count itself in the word, whose cache line all CPUs would
 * fight for, but puts the lock on its own list and publishes the length. An owner-to-be claims the
 * word and then reads the lists of all CPUs. The length and the word are written before the other
 * one is read, all in volatile order, so of a reader and an owner at least one sees the other: the
 * answers are those of a count in the word.
 *
 * <p>No guest takes a lock that a list like this holds: guests lock Secure EPT entries and the
 * RTMRs, by other ways.
 *
 * <p>Places keep their contents after a release, because the next call mostly wants the same locks
 * at the same places; then taking one of them is a single fenced store of the length, or one for
 * several with {@link #stage}, and no reference is written (which would mark a card whose line
 * other CPUs mark too).
 */
@SuppressWarnings("ReferenceEquality") // a lock is a place in one certain array
public final class HeldLocks {
    // The longest chains, DEMOTE and PROMOTE, need 3 + 2 + 4 * 3 + 1 + 2 * 3.
    private static final int CAPACITY = 32;

    /** Place in {@link #shown} of the published length; lines before and behind stay unused. */
    private static final int LENGTH = 32;

    private static final int FIRST = LENGTH + 1;
    private static final int HIDDEN = -1;

    /** How a place is held. */
    private static final byte SLOT = 0;

    private static final byte COUNT = 1;
    private static final byte ALONE = 2;
    private static final byte GONE = 3;

    private final HeldLocks[] cpus;
    private final long[][] words = new long[CAPACITY][];
    private final int[] at = new int[CAPACITY];
    private final byte[] how = new byte[CAPACITY];
    private int count;

    // For other CPUs: how many places count, and the index of the lock at each, HIDDEN unless it is
    // held by slot.
    private final int[] shown = new int[FIRST + CAPACITY + 32];

    /** Locks of a machine with one CPU. */
    public HeldLocks() {
        this(new HeldLocks[1], 0);
    }

    private HeldLocks(HeldLocks[] cpus, int cpu) {
        this.cpus = cpus;
        java.util.Arrays.fill(shown, FIRST, FIRST + CAPACITY, HIDDEN);
        cpus[cpu] = this;
    }

    /** One list for each logical CPU of a machine. */
    public static HeldLocks[] ofCpus(int number) {
        HeldLocks[] lists = new HeldLocks[number];
        for (int cpu = 0; cpu < number; cpu++) {
            new HeldLocks(lists, cpu);
        }
        return lists;
    }

    /** Takes a lock shared, or says that it is busy. */
    public boolean share(long[] lock, int index) {
        while ((Cells.acquire(lock, index) & SharexLock.SLOTTED) != 0) {
            int place = count;
            stage(lock, index);
            publish();
            int outcome = SharexLock.admit(lock, index);
            if (outcome == SharexLock.TAKEN) {
                return true;
            }
            withdraw(place);
            if (outcome == SharexLock.BUSY) {
                return false;
            }
        }
        return SharexLock.tryShare(lock, index) && push(lock, index, COUNT);
    }

    /**
     * Puts a slotted lock on the list, to be taken shared by {@link #commit} together with others:
     * one fence for all of them.
     */
    public void stage(long[] lock, int index) {
        int place = count;
        if (words[place] != lock || shown[FIRST + place] != index) {
            // Never a mixture of the old and the new lock to somebody who reads index, lock, index.
            Cells.release(shown, FIRST + place, HIDDEN);
            VarHandle.storeStoreFence();
            words[place] = lock;
            at[place] = index;
            Cells.release(shown, FIRST + place, index);
        }
        how[place] = SLOT;
        count = place + 1;
    }

    /**
     * Takes everything staged since a mark, or nothing. A refusal leaves no trace and says nothing
     * about which lock it was: the caller takes them one by one then, for the exact answer.
     */
    public boolean commit(int mark) {
        publish();
        for (int place = mark; place < count; place++) {
            if (!SharexLock.isOpen(Cells.volatileRead(words[place], at[place]))) {
                withdraw(mark);
                return false;
            }
        }
        return true;
    }

    /** Takes a lock exclusively, or says that it is busy. */
    public boolean exclusive(long[] lock, int index) {
        int outcome = SharexLock.tryClaim(lock, index);
        if (outcome == SharexLock.CLAIM
                ? SharexLock.decide(lock, index, isInSlots(lock, index, count))
                : outcome == SharexLock.TAKEN) {
            return push(lock, index, ALONE);
        }
        return false;
    }

    /** Takes a lock in one of the two ways. */
    public boolean take(long[] lock, int index, boolean alone) {
        return alone ? exclusive(lock, index) : share(lock, index);
    }

    /** Turns the lock taken last from shared to exclusive, or says that it is busy. */
    public boolean upgradeLast() {
        int last = count - 1;
        assert how[last] != ALONE : "upgrade of an exclusive lock";
        if (how[last] == COUNT) {
            if (!SharexLock.tryUpgrade(words[last], at[last])) {
                return false;
            }
        } else {
            int outcome = SharexLock.tryClaim(words[last], at[last]);
            if (outcome != SharexLock.CLAIM
                    || !SharexLock.decide(
                            words[last], at[last], isInSlots(words[last], at[last], last))) {
                return false;
            }
            Cells.release(shown, FIRST + last, HIDDEN);
        }
        how[last] = ALONE;
        return true;
    }

    /** Place in the list, for {@link #releaseTo}. */
    public int mark() {
        return count;
    }

    /** Gives back, latest first, everything taken since a mark. */
    public void releaseTo(int mark) {
        for (int place = count - 1; place >= mark; place--) {
            releaseWord(place);
        }
        withdraw(mark);
    }

    /** Gives back one lock out of order, as VP.ENTER does with OP_STATE before it enters. */
    public void release(long[] lock, int index) {
        for (int place = count - 1; place >= 0; place--) {
            if (words[place] == lock && at[place] == index && how[place] != GONE) {
                releaseWord(place);
                if (place == count - 1) {
                    withdraw(place);
                } else {
                    Cells.release(shown, FIRST + place, HIDDEN);
                    how[place] = GONE;
                }
                return;
            }
        }
        throw new AssertionError("release of a lock that this call does not hold");
    }

    /** Gives back everything. */
    public void releaseAll() {
        releaseTo(0);
    }

    private void releaseWord(int place) {
        switch (how[place]) {
            case COUNT -> SharexLock.releaseShare(words[place], at[place]);
            case ALONE -> SharexLock.releaseOwned(words[place], at[place]);
            default -> {}
        }
    }

    private boolean push(long[] lock, int index, byte held) {
        int place = count;
        if (shown[FIRST + place] != HIDDEN) {
            Cells.release(shown, FIRST + place, HIDDEN);
            VarHandle.storeStoreFence();
        }
        if (words[place] != lock) {
            words[place] = lock;
        }
        at[place] = index;
        how[place] = held;
        count = place + 1;
        return true;
    }

    private void publish() {
        Cells.volatileWrite(shown, LENGTH, count);
    }

    private void withdraw(int length) {
        count = length;
        Cells.release(shown, LENGTH, length);
    }

    /**
     * Whether a reader has a lock by slot: any other CPU, or this one at a place below {@code own}.
     */
    private boolean isInSlots(long[] lock, int index, int own) {
        for (HeldLocks cpu : cpus) {
            int length = cpu == this ? own : Cells.volatileRead(cpu.shown, LENGTH);
            for (int place = 0; place < length; place++) {
                if (cpu.shows(place, lock, index)) {
                    return true;
                }
            }
        }
        return false;
    }

    private boolean shows(int place, long[] lock, int index) {
        if (Cells.acquire(shown, FIRST + place) != index || words[place] != lock) {
            return false;
        }
        VarHandle.loadLoadFence();
        return Cells.acquire(shown, FIRST + place) == index;
    }
}
