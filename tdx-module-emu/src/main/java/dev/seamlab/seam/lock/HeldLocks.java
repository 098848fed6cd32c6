// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.lock;

import dev.seamlab.machine.sched.Cells;
import java.lang.invoke.VarHandle;
import java.util.Arrays;

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
 * answers are those of a count in the word. But for one: who wants to own a lock may also be
 * refused for a reader that an owner before has just kept out, and that has not left its slot yet.
 *
 * <p>No guest takes a lock that a list like this holds: guests lock Secure EPT entries and the
 * RTMRs, by other ways.
 *
 * <p>Places keep their contents after a release, because the next call mostly wants the same locks
 * at the same places; then taking one of them is a single fenced store of the length, or one for
 * several with {@link #stage}, and no reference is written (which would mark a card whose line
 * other CPUs mark too). For the same reason VP.ENTER has a stretch of the list to itself: on the
 * fault path it alternates with another leaf, and each would overwrite the other's places.
 */
@SuppressWarnings("ReferenceEquality") // a lock is a place in one certain array
public final class HeldLocks {
    // The longest chains, DEMOTE and PROMOTE, need 3 + 2 + 4 * 3 + 1 + 2 * 3.
    private static final int LONGEST = 32;

    // VP.ENTER needs 4 + 1 + 1.
    private static final int LONGEST_ENTRY = 8;
    private static final int CAPACITY = LONGEST + LONGEST_ENTRY;

    /**
     * Place in {@link #shown} of the stretch that counts, see {@link #stretch}; lines before and
     * behind stay unused.
     */
    private static final int STRETCH = 32;

    /** Place in {@link #claims} of the number of claims on slotted locks, clear of the header. */
    private static final int CLAIMS = 16;

    private static final int END_BITS = 8;
    private static final int FIRST = STRETCH + 1;
    private static final int HIDDEN = -1;

    /** How a place is held. */
    private static final byte SLOT = 0;

    private static final byte COUNT = 1;
    private static final byte ALONE = 2;
    private static final byte GONE = 3;

    private final HeldLocks[] cpus;

    /** Shared by all CPUs. Written where a slotted lock is claimed, which is rare. */
    private final long[] claims;

    private final long[][] words = new long[CAPACITY][];
    private final int[] at = new int[CAPACITY];
    private final byte[] how = new byte[CAPACITY];

    // The places [first, count) hold what the call took.
    private int first;
    private int count;

    // No place below this one is held in a word, so none has anything to give back.
    private int firstInWord = CAPACITY;

    // For other CPUs: which places count, and the index of the lock at each, HIDDEN unless it is
    // held by slot.
    private final int[] shown = new int[FIRST + CAPACITY + 32];

    // Paths that may be taken again, and which places they need: a bit each.
    private LockPath[] paths = {};
    private long kept;

    /** Locks of a machine with one CPU. */
    public HeldLocks() {
        this(new HeldLocks[1], 0, new long[2 * CLAIMS]);
    }

    private HeldLocks(HeldLocks[] cpus, int cpu, long[] claims) {
        this.cpus = cpus;
        this.claims = claims;
        Arrays.fill(shown, FIRST, FIRST + CAPACITY, HIDDEN);
        cpus[cpu] = this;
    }

    /** One list for each logical CPU of a machine. */
    public static HeldLocks[] ofCpus(int number) {
        HeldLocks[] lists = new HeldLocks[number];
        long[] claims = new long[2 * CLAIMS];
        for (int cpu = 0; cpu < number; cpu++) {
            new HeldLocks(lists, cpu, claims);
        }
        return lists;
    }

    /** A call begins; nothing is held. */
    public void begin(boolean entry) {
        assert count == first : "the call before has left locks behind";
        first = entry ? LONGEST : 0;
        count = first;
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
                claimed(); // the word is marked now
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
            unkeep(place);
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

    /** A path for this CPU to remember. */
    public LockPath newPath() {
        LockPath path = new LockPath();
        paths = Arrays.copyOf(paths, paths.length + 1);
        paths[paths.length - 1] = path;
        return path;
    }

    /** To be asked before the locks of a path are taken; {@link #remember} wants the answer. */
    public long claims() {
        return Cells.volatileRead(claims, CLAIMS);
    }

    /**
     * Remembers the slotted locks taken since a mark, and what was seen under them.
     *
     * @param claimsBefore answer of {@link #claims} from before they were taken
     */
    public void remember(LockPath path, int mark, Object seen, long claimsBefore) {
        for (LockPath other : paths) {
            if (other != path && other.start() < count && mark < other.end()) {
                other.forget();
            }
        }
        path.learn(seen, mark, count, claimsBefore);
        kept |= (1L << count) - (1L << mark);
    }

    /**
     * Takes the locks of a path again, or nothing. A refusal leaves no trace and means only that
     * they have to be taken in the usual way.
     *
     * <p>Why one load is enough: a claim counts itself before it looks through the slots, and this
     * CPU enters its slot before it reads that number, both in volatile order. Either the number
     * has moved here, or the claimant sees the slot, finds the lock shared and changes nothing.
     * Claims of before the path was taken were seen in the words then.
     */
    public boolean retake(LockPath path) {
        if (count != path.start()) {
            return false;
        }
        count = path.end();
        publish();
        if (claims() == path.claims()) {
            return true;
        }
        withdraw(path.start());
        return false;
    }

    /** Takes a lock exclusively, or says that it is busy. */
    public boolean exclusive(long[] lock, int index) {
        int outcome = SharexLock.tryClaim(lock, index);
        if (outcome == SharexLock.TAKEN) {
            return push(lock, index, ALONE);
        }
        if (outcome == SharexLock.CLAIM && decide(lock, index, count)) {
            return push(lock, index, ALONE);
        }
        claimed(); // the word is marked now
        return false;
    }

    /** Ends a claim as what the slots say: with this CPU's places below {@code own} among them. */
    private boolean decide(long[] lock, int index, int own) {
        claimed();
        return SharexLock.decide(lock, index, isInSlots(lock, index, own));
    }

    /** Somebody claims a slotted lock, or has marked one as wanted. */
    private void claimed() {
        Cells.getAndAdd(claims, CLAIMS, 1);
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
            if (outcome != SharexLock.CLAIM || !decide(words[last], at[last], last)) {
                claimed(); // the word is marked now
                return false;
            }
            unkeep(last);
            Cells.release(shown, FIRST + last, HIDDEN);
        }
        how[last] = ALONE;
        firstInWord = Math.min(firstInWord, last);
        return true;
    }

    /** Place in the list, for {@link #releaseTo}. */
    public int mark() {
        return count;
    }

    /** Gives back, latest first, everything taken since a mark. */
    public void releaseTo(int mark) {
        if (firstInWord < count) {
            for (int place = count - 1; place >= Math.max(mark, firstInWord); place--) {
                releaseWord(place);
            }
            if (firstInWord >= mark) {
                firstInWord = CAPACITY;
            }
        }
        withdraw(mark);
    }

    /** Gives back one lock out of order, as VP.ENTER does with OP_STATE before it enters. */
    public void release(long[] lock, int index) {
        for (int place = count - 1; place >= first; place--) {
            if (words[place] == lock && at[place] == index && how[place] != GONE) {
                releaseWord(place);
                if (place == count - 1) {
                    withdraw(place);
                } else {
                    unkeep(place);
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
        releaseTo(first);
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
        unkeep(place);
        if (shown[FIRST + place] != HIDDEN) {
            Cells.release(shown, FIRST + place, HIDDEN);
            VarHandle.storeStoreFence();
        }
        if (words[place] != lock) {
            words[place] = lock;
        }
        at[place] = index;
        how[place] = held;
        firstInWord = Math.min(firstInWord, place);
        count = place + 1;
        return true;
    }

    /** The place gets another lock: no path may count on it any more. */
    private void unkeep(int place) {
        if ((kept >>> place & 1) == 0) {
            return;
        }
        for (LockPath path : paths) {
            if (path.covers(place)) {
                path.forget();
            }
        }
        kept &= ~(1L << place);
    }

    private void publish() {
        Cells.volatileWrite(shown, STRETCH, stretch());
    }

    private void withdraw(int to) {
        count = to;
        Cells.release(shown, STRETCH, stretch());
    }

    /** The places that count, in one word: the first, and the one after the last. */
    private int stretch() {
        return first << END_BITS | count;
    }

    /**
     * Whether a reader has a lock by slot: any other CPU, or this one at a place below {@code own}.
     */
    private boolean isInSlots(long[] lock, int index, int own) {
        for (HeldLocks cpu : cpus) {
            int stretch =
                    cpu == this ? first << END_BITS | own : Cells.volatileRead(cpu.shown, STRETCH);
            int end = stretch & ((1 << END_BITS) - 1);
            for (int place = stretch >>> END_BITS; place < end; place++) {
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
