// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.machine.Pfn;
import dev.seamlab.machine.sched.Cells;
import org.jspecify.annotations.Nullable;

/**
 * One table of the mirror EPT: what KVM believes the module's Secure EPT to hold.
 *
 * <pre>
 *    63                     12 11      2   1       0
 *   +-------------------------+---------+------+---------+
 *   | host page frame         | zero    | leaf | present |   the page mapped, or the S-EPT page of
 *   +-------------------------+---------+------+---------+   the table below
 * </pre>
 *
 * <p>Two values have meanings of their own: 0, nothing there; {@link #FROZEN}, somebody is changing
 * the entry together with the module and everybody else has to come back later. Only who froze an
 * entry may thaw it (facts: Linux sheet section 4.3).
 */
final class MirrorTable {
    static final int ENTRIES = 512;
    static final long EMPTY = 0;

    /** No present bit, and no frame that exists. */
    static final long FROZEN = 0x5A0;

    private static final long PRESENT = 1;
    private static final long LEAF = 2;
    private static final int PFN_SHIFT = 12;

    /** Bounds checks read the array's length in the first cache line. */
    private static final int FIRST = 8;

    private final int level;
    private final @Pfn long externalPage;
    private final long[] entries = new long[FIRST + ENTRIES];
    private final @Nullable MirrorTable @Nullable [] children;

    /**
     * @param level of its entries: 0 maps 4K pages
     * @param externalPage the S-EPT page that mirrors it; 0 for the root, which lies in the TDCS
     */
    MirrorTable(int level, @Pfn long externalPage) {
        this.level = level;
        this.externalPage = externalPage;
        this.children = level == 0 ? null : new @Nullable MirrorTable[ENTRIES];
    }

    /** A table whose entries map 512 contiguous pages, for the one leaf that they were. */
    static MirrorTable ofLeaves(@Pfn long externalPage, @Pfn long first) {
        MirrorTable table = new MirrorTable(0, externalPage);
        for (int i = 0; i < ENTRIES; i++) {
            table.entries[FIRST + i] = leaf(first + i);
        }
        return table;
    }

    /** First of the 512 contiguous pages that the entries map; 0 where they do not. */
    @Pfn
    long contiguousFrom() {
        long first = read(0);
        for (int i = 0; i < ENTRIES; i++) {
            if (!isPresent(first) || !isLeaf(first) || read(i) != leaf(pfn(first) + i)) {
                return 0;
            }
        }
        return pfn(first);
    }

    int level() {
        return level;
    }

    @Pfn
    long externalPage() {
        return externalPage;
    }

    long read(int index) {
        return Cells.acquire(entries, FIRST + index);
    }

    /** Freezes an entry if it has this value. */
    boolean freeze(int index, long expected) {
        return Cells.cas(entries, FIRST + index, expected, FROZEN);
    }

    /** Gives a frozen entry its new value. */
    void thaw(int index, long value) {
        assert entries[FIRST + index] == FROZEN : "thaw of an entry that nobody froze";
        Cells.release(entries, FIRST + index, value);
    }

    /** The table below a present non-leaf entry that the caller has read. */
    MirrorTable child(int index) {
        MirrorTable child = children == null ? null : children[index];
        if (child == null) {
            throw new AssertionError("present entry without table at level " + level);
        }
        return child;
    }

    /** Hangs a table below a frozen entry; {@link #thaw} publishes it. */
    void hang(int index, MirrorTable child) {
        assert entries[FIRST + index] == FROZEN : "the entry is not frozen";
        if (children == null) {
            throw new AssertionError("a table below level 0");
        }
        children[index] = child;
    }

    /** Takes away the table below a frozen entry that is about to be a leaf. */
    void unhangFrozen(int index) {
        assert entries[FIRST + index] == FROZEN : "the entry is not frozen";
        if (children != null) {
            children[index] = null;
        }
    }

    /** Unhangs the table below an entry of a VM that is torn down. */
    void unhang(int index) {
        if (children != null) {
            children[index] = null;
        }
        Cells.release(entries, FIRST + index, EMPTY);
    }

    static long leaf(@Pfn long pfn) {
        return pfn << PFN_SHIFT | LEAF | PRESENT;
    }

    static long table(@Pfn long pfn) {
        return pfn << PFN_SHIFT | PRESENT;
    }

    static boolean isPresent(long entry) {
        return (entry & PRESENT) != 0;
    }

    static boolean isLeaf(long entry) {
        return (entry & LEAF) != 0;
    }

    static @Pfn long pfn(long entry) {
        return entry >>> PFN_SHIFT;
    }
}
