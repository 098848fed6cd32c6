// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.sept;

import dev.seamlab.machine.Hpa;
import dev.seamlab.machine.sched.Cells;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.SeptEntryState;

/**
 * Bits of a Secure EPT entry (facts: module ABI section 8.2). The KeyID bits of the address are not
 * stored: the model does not encrypt.
 *
 * <pre>
 *    63  56  55  54   53   52 51          12 11   10  9    8   7  6    5  3 2 1 0
 *   +---+---+---+----+----+--+--------------+----+---+----+---+--+----+----+-+-+-+
 *   |SVE|TDP|TDB|TDBW|TDEX|HP|  address     |lock|Xu |D   | A |PS|IPAT| MT |X|W|R|
 *   +---+---+---+----+----+--+--------------+----+---+----+---+--+----+----+-+-+-+
 *         \-- state code bits 4:1 --/            \-state 0  \-state 6:5 -/
 * </pre>
 */
public final class SeptEntry {
    /** Lock bit; a host or guest call works on the entry. */
    public static final long LOCK = 1L << 11;

    /** A host attempt on the lock failed: guests stay out until the host got it. */
    public static final long HOST_PRIORITY = 1L << 52;

    /** R, W, X and Xu. */
    public static final long RWX = 0x407;

    /** What a table page is filled with. */
    public static final long FREE = 0x80E0_0000_0000_0000L;

    private static final long READ_WRITE_EXECUTE = 0x7;
    private static final long MEMORY_TYPE = 0x38;
    private static final long WRITE_BACK = 6 << 3;
    private static final long LEAF = 1L << 7;
    private static final long TDMEM = 1L << 6;
    private static final long SUPPRESS_VE = 1L << 63;
    private static final long ADDRESS = 0x000F_FFFF_FFFF_F000L;
    private static final long STATE = (1L << 9) | (0xFL << 53) | (0x3L << 6);
    private static final long ARCH_LEAF = RWX | MEMORY_TYPE | ADDRESS | TDMEM | LEAF | SUPPRESS_VE;
    private static final long ARCH_NON_LEAF = RWX | LEAF;

    static {
        assert (FREE & STATE) == encode(SeptEntryState.FREE) : "FREE does not encode FREE";
    }

    private SeptEntry() {}

    /** State of an entry. */
    public static SeptEntryState state(long entry) {
        return SeptEntryState.ofCode(stateCode(entry));
    }

    /** Whether the entry is in a state. */
    public static boolean is(long entry, SeptEntryState state) {
        return (entry & STATE) == encode(state);
    }

    /** Whether the entry maps a page, accessible or not. */
    public static boolean isLeaf(long entry) {
        return (entry & LEAF) != 0;
    }

    /** Whether a walk goes on through the entry, or the guest may access the page. */
    public static boolean isAccessible(long entry) {
        return (entry & READ_WRITE_EXECUTE) != 0;
    }

    /** Page or table that the entry points at. */
    public static @Hpa long hpa(long entry) {
        return entry & ADDRESS;
    }

    /** Page that a leaf maps; drops what ACCEPT keeps in the low address bits of a large page. */
    public static @Hpa long leafHpa(long entry, int level) {
        return entry & ADDRESS & -PageInfo.sizeOf(level);
    }

    /** The entry without what an interrupted ACCEPT of a large page keeps in the address bits. */
    public static long withoutProgress(long entry, int level) {
        return isLeaf(entry) ? (entry & ~ADDRESS) | leafHpa(entry, level) : entry;
    }

    /** A leaf in a state that maps a page; accessible iff the state is MAPPED. */
    public static long leaf(@Hpa long hpa, SeptEntryState state) {
        long rights = state == SeptEntryState.MAPPED ? RWX : 0;
        return hpa | encode(state) | WRITE_BACK | SUPPRESS_VE | rights;
    }

    /** An entry that points at a table. */
    public static long table(@Hpa long hpa) {
        return hpa | encode(SeptEntryState.NL_MAPPED) | RWX | SUPPRESS_VE;
    }

    /** The entry in another state; rights as the state says, no lock. */
    public static long withState(long entry, SeptEntryState state) {
        long rights = state == SeptEntryState.MAPPED || state == SeptEntryState.NL_MAPPED ? RWX : 0;
        long kept = entry & ~(STATE | RWX | LOCK | HOST_PRIORITY | MEMORY_TYPE);
        long memoryType = (encode(state) & TDMEM) != 0 ? WRITE_BACK : 0;
        return kept | encode(state) | rights | memoryType | SUPPRESS_VE;
    }

    /** RCX of the leaves that report an entry (facts: section 1.3). */
    public static long architecturalView(long entry) {
        if (is(entry, SeptEntryState.FREE)) {
            return SUPPRESS_VE;
        }
        return entry & (isLeaf(entry) ? ARCH_LEAF : ARCH_NON_LEAF);
    }

    /** RDX of the leaves that report an entry: level and public state number. */
    public static long architecturalInfo(long entry, int level) {
        return level | ((long) state(entry).publicNumber() << 8);
    }

    /** Host: locks an entry. Sets host priority where somebody else has it. */
    public static boolean tryLock(long[] words, int at) {
        while (true) {
            long seen = Cells.acquire(words, at);
            if ((seen & LOCK) != 0) {
                if ((seen & HOST_PRIORITY) != 0
                        || Cells.cas(words, at, seen, seen | HOST_PRIORITY)) {
                    return false;
                }
            } else if (Cells.cas(words, at, seen, (seen & ~HOST_PRIORITY) | LOCK)) {
                return true;
            }
        }
    }

    /** Guest: locks an entry. Returns an outcome of {@code SharexLock}. */
    public static int tryLockAsGuest(long[] words, int at) {
        while (true) {
            long seen = Cells.acquire(words, at);
            if ((seen & HOST_PRIORITY) != 0) {
                return dev.seamlab.seam.lock.SharexLock.HOST_PRIORITY_BUSY;
            }
            if ((seen & LOCK) != 0) {
                return dev.seamlab.seam.lock.SharexLock.BUSY;
            }
            if (Cells.cas(words, at, seen, seen | LOCK)) {
                return dev.seamlab.seam.lock.SharexLock.TAKEN;
            }
        }
    }

    /** Unlocks an entry that keeps its value. */
    public static void unlock(long[] words, int at) {
        long before = Cells.getAndClearBits(words, at, LOCK);
        assert (before & LOCK) != 0 : "unlock of an entry nobody locked";
    }

    /** Writes the new value and unlocks, in one step; host priority set meanwhile survives. */
    public static void commit(long[] words, int at, long value) {
        assert (value & (LOCK | HOST_PRIORITY)) == 0;
        while (true) {
            long seen = Cells.acquire(words, at);
            if (Cells.cas(words, at, seen, value | (seen & HOST_PRIORITY))) {
                return;
            }
        }
    }

    /** Code of an entry's state, see {@link SeptEntryState#code}. */
    static int stateCode(long entry) {
        return (int) ((entry >>> 9 & 1) | ((entry >>> 53 & 0xF) << 1) | ((entry >>> 6 & 0x3) << 5));
    }

    private static long encode(SeptEntryState state) {
        long code = state.code();
        return ((code & 1) << 9) | ((code >>> 1 & 0xF) << 53) | ((code >>> 5 & 0x3) << 6);
    }
}
