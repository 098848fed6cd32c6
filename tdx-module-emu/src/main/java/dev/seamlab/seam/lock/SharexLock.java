// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.lock;

import dev.seamlab.machine.sched.Cells;
import dev.seamlab.machine.sched.Waits;

/**
 * A share/exclusive try-lock in the low 16 bits of a word. The bits above belong to whoever owns
 * the word and are left alone (facts: module ABI section 12.1).
 *
 * <pre>
 *    15           2   1    0
 *   +--------------+----+----+
 *   | readers      | HP | EX |
 *   +--------------+----+----+
 * </pre>
 *
 * <p>Bit 21, SLOTTED, says that readers enter in the reader slot of their CPU instead of this
 * count, see {@link HeldLocks}; it changes only while somebody owns the lock. Bit 22, CLAIMED,
 * stands while a would-be owner of such a lock looks through the slots. Guests never take slotted
 * locks.
 *
 * <p>HP is host priority: a host attempt that fails sets it, a later successful one clears it, and
 * while it is set every guest attempt fails, also on a free lock. Locks that no guest ever takes
 * carry the bit without effect.
 */
public final class SharexLock {
    /** Bits of the word that are the lock. */
    public static final long MASK = 0xFFFF;

    /** How a guest attempt ended. */
    public static final int TAKEN = 0;

    public static final int BUSY = 1;
    public static final int HOST_PRIORITY_BUSY = 2;

    /** Readers of this lock stand in reader slots. The owner of the word sets it. */
    public static final long SLOTTED = 1L << 21;

    /**
     * Answer of {@link #tryClaim}: taken as far as the word goes; the slots have to be looked at.
     */
    static final int CLAIM = 3;

    /** Answer of {@link #admit}: readers of this lock are counted in the word. */
    static final int COUNTED = 3;

    private static final long CLAIMED = 1L << 22;
    private static final long EXCLUSIVE = 1;
    private static final long HOST_PRIORITY = 2;
    private static final long READER = 4;
    private static final long READERS = MASK & -READER;

    private SharexLock() {}

    /** Host: joins the readers unless somebody owns the lock. */
    public static boolean tryShare(long[] words, int at) {
        while (true) {
            long seen = Cells.acquire(words, at);
            if ((seen & EXCLUSIVE) != 0) {
                if (markWanted(words, at, seen)) {
                    return false;
                }
            } else if (Cells.cas(words, at, seen, (seen & ~HOST_PRIORITY) + READER)) {
                return true;
            }
        }
    }

    /** Host: takes the lock alone if nobody has it in any way. */
    public static boolean tryExclusive(long[] words, int at) {
        while (true) {
            long seen = Cells.acquire(words, at);
            if ((seen & (EXCLUSIVE | READERS)) != 0) {
                if (markWanted(words, at, seen)) {
                    return false;
                }
            } else if (Cells.cas(words, at, seen, (seen & ~HOST_PRIORITY) | EXCLUSIVE)) {
                return true;
            }
        }
    }

    /** Host: turns the only reader, the caller, into the owner. On failure it stays a reader. */
    public static boolean tryUpgrade(long[] words, int at) {
        while (true) {
            long seen = Cells.acquire(words, at);
            assert (seen & READERS) != 0 : "upgrade by somebody who is no reader";
            if ((seen & READERS) != READER) {
                if (markWanted(words, at, seen)) {
                    return false;
                }
            } else if (Cells.cas(words, at, seen, (seen & ~MASK) | EXCLUSIVE)) {
                return true;
            }
        }
    }

    /**
     * Host: what the word says to a reader that has entered its slot: {@link #TAKEN}, {@link
     * #BUSY}, or {@link #COUNTED}. A claim is decided first: it ends as soon as the slots are read.
     */
    static int admit(long[] words, int at) {
        while (true) {
            long seen = Cells.volatileRead(words, at);
            if (isOpen(seen)) {
                return TAKEN;
            }
            if ((seen & SLOTTED) == 0) {
                return COUNTED;
            }
            if ((seen & CLAIMED) != 0) {
                awaitDecision(words, at);
            } else if ((seen & EXCLUSIVE) != 0) {
                if (markWanted(words, at, seen)) {
                    return BUSY;
                }
            } else if (Cells.cas(words, at, seen, seen & ~HOST_PRIORITY)) {
                return TAKEN;
            }
        }
    }

    /** Whether a reader that has entered its slot has a lock without further ado. */
    static boolean isOpen(long word) {
        return (word & (SLOTTED | CLAIMED | EXCLUSIVE | HOST_PRIORITY)) == SLOTTED;
    }

    /**
     * Host: takes the lock alone as far as the word goes.
     *
     * @return {@link #TAKEN}; {@link #BUSY}; or {@link #CLAIM}, after which {@link #decide} must
     *     follow
     */
    static int tryClaim(long[] words, int at) {
        while (true) {
            long seen = Cells.acquire(words, at);
            if ((seen & CLAIMED) != 0) {
                awaitDecision(words, at);
            } else if ((seen & (EXCLUSIVE | READERS)) != 0) {
                if (markWanted(words, at, seen)) {
                    return BUSY;
                }
            } else if ((seen & SLOTTED) != 0) {
                if (Cells.cas(words, at, seen, seen | CLAIMED)) {
                    return CLAIM;
                }
            } else if (Cells.cas(words, at, seen, (seen & ~HOST_PRIORITY) | EXCLUSIVE)) {
                return TAKEN;
            }
        }
    }

    /** Host: turns a claim into ownership, or gives it up for a reader in some slot. */
    static boolean decide(long[] words, int at, boolean readerFound) {
        while (true) {
            long seen = Cells.acquire(words, at);
            long rest = seen & ~(CLAIMED | HOST_PRIORITY);
            if (Cells.cas(words, at, seen, rest | (readerFound ? HOST_PRIORITY : EXCLUSIVE))) {
                return !readerFound;
            }
        }
    }

    private static void awaitDecision(long[] words, int at) {
        Waits.spinUntil(() -> (Cells.acquire(words, at) & CLAIMED) == 0);
    }

    /** Guest: joins the readers. Returns {@link #TAKEN} or why not. */
    public static int tryShareAsGuest(long[] words, int at) {
        while (true) {
            long seen = Cells.acquire(words, at);
            if ((seen & HOST_PRIORITY) != 0) {
                return HOST_PRIORITY_BUSY;
            }
            if ((seen & EXCLUSIVE) != 0) {
                return BUSY;
            }
            if (Cells.cas(words, at, seen, seen + READER)) {
                return TAKEN;
            }
        }
    }

    /** Guest: takes the lock alone. Returns {@link #TAKEN} or why not. */
    public static int tryExclusiveAsGuest(long[] words, int at) {
        while (true) {
            long seen = Cells.acquire(words, at);
            if ((seen & HOST_PRIORITY) != 0) {
                return HOST_PRIORITY_BUSY;
            }
            if ((seen & (EXCLUSIVE | READERS)) != 0) {
                return BUSY;
            }
            if (Cells.cas(words, at, seen, seen | EXCLUSIVE)) {
                return TAKEN;
            }
        }
    }

    /** Leaves the readers. */
    public static void releaseShare(long[] words, int at) {
        long before = Cells.getAndAdd(words, at, -READER);
        assert (before & READERS) != 0 : "release by somebody who is no reader";
    }

    /** Gives up sole ownership. */
    public static void releaseExclusive(long[] words, int at) {
        long before = Cells.getAndClearBits(words, at, EXCLUSIVE);
        assert (before & EXCLUSIVE) != 0 : "release of a lock that nobody owns";
    }

    /**
     * Host: gives up sole ownership of a lock that no guest ever takes, by a plain store. A mark of
     * host priority set at the same moment may get lost; only guests would heed it.
     */
    static void releaseOwned(long[] words, int at) {
        long seen = Cells.acquire(words, at);
        assert (seen & EXCLUSIVE) != 0 : "release of a lock that nobody owns";
        Cells.release(words, at, seen & ~EXCLUSIVE);
    }

    /** Whether anybody has the lock in any way. */
    public static boolean isHeld(long word) {
        return (word & (EXCLUSIVE | READERS)) != 0;
    }

    /** Whether a host attempt failed and nobody on the host side got the lock since. */
    public static boolean isWantedByHost(long word) {
        return (word & HOST_PRIORITY) != 0;
    }

    private static boolean markWanted(long[] words, int at, long seen) {
        return (seen & HOST_PRIORITY) != 0 || Cells.cas(words, at, seen, seen | HOST_PRIORITY);
    }
}
