// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.machine.Gfn;
import dev.seamlab.machine.Pfn;
import dev.seamlab.machine.sched.Cells;
import org.jspecify.annotations.Nullable;

/**
 * The mirror EPT of a VM: four or five levels, of which the root mirrors the one inside the TDCS.
 * Faults change it entry by entry under MMU held for reading, zaps under MMU held for writing.
 */
final class MirrorEpt {
    private static final int LEVEL_BITS = 9;
    private static final int SHAPE = 16;

    /** Shows one present entry. */
    interface Visitor {
        void entry(@Gfn long gfn, int level, long entry);
    }

    private final int levels;
    private final MirrorTable root;
    private final long[] words = new long[2 * SHAPE];

    /**
     * @param levels 4 or 5
     */
    MirrorEpt(int levels) {
        this.levels = levels;
        this.root = new MirrorTable(levels - 1, 0);
    }

    MirrorTable root() {
        return root;
    }

    int rootLevel() {
        return levels - 1;
    }

    /** Another number after each {@link #reshaped}. */
    long shape() {
        return Cells.acquire(words, SHAPE);
    }

    /** Tables have gone out of the mirror; MMU is still held for writing, or the VM torn down. */
    void reshaped() {
        Cells.getAndAdd(words, SHAPE, 1);
    }

    /** Place of a guest page in a table of a level. */
    static int index(@Gfn long gfn, int level) {
        return (int) (gfn >>> (LEVEL_BITS * level)) & (MirrorTable.ENTRIES - 1);
    }

    /**
     * The table of 4K entries that covers a guest page; null where there is none, or a 2M leaf. For
     * zaps: nothing is frozen.
     */
    @Nullable MirrorTable leafTable(@Gfn long gfn) {
        return table(gfn, 0);
    }

    /** The table of a level that covers a guest page, or null. */
    @Nullable MirrorTable table(@Gfn long gfn, int wanted) {
        MirrorTable table = root;
        for (int level = rootLevel(); level > wanted; level--) {
            int index = index(gfn, level);
            long entry = table.read(index);
            if (!MirrorTable.isPresent(entry) || MirrorTable.isLeaf(entry)) {
                return null;
            }
            table = table.child(index);
        }
        return table;
    }

    /**
     * Where a walk to a guest page ends: at a leaf, or at an entry that is not present.
     *
     * @param level of that entry
     */
    record Place(int level, long entry) {
        /** Guest pages that the entry covers. */
        long pages() {
            return 1L << (LEVEL_BITS * level);
        }
    }

    /** Walks to a guest page. For inspection. */
    Place find(@Gfn long gfn) {
        MirrorTable table = root;
        int level = rootLevel();
        while (true) {
            long entry = table.read(index(gfn, level));
            if (!MirrorTable.isPresent(entry) || MirrorTable.isLeaf(entry)) {
                return new Place(level, entry);
            }
            table = table.child(index(gfn, level));
            level--;
        }
    }

    /** The 4K page mapped at a guest page, or 0. */
    @Pfn
    long lookup(@Gfn long gfn) {
        MirrorTable table = leafTable(gfn);
        if (table == null) {
            return 0;
        }
        long entry = table.read(index(gfn, 0));
        return MirrorTable.isPresent(entry) ? MirrorTable.pfn(entry) : 0;
    }

    /** Shows every present entry, tables before what they hold. For a VM at rest. */
    void forEach(Visitor visitor) {
        walk(root, 0, visitor);
    }

    private static void walk(MirrorTable table, @Gfn long base, Visitor visitor) {
        for (int i = 0; i < MirrorTable.ENTRIES; i++) {
            long entry = table.read(i);
            if (!MirrorTable.isPresent(entry)) {
                continue;
            }
            long gfn = base | (long) i << (LEVEL_BITS * table.level());
            visitor.entry(gfn, table.level(), entry);
            if (!MirrorTable.isLeaf(entry)) {
                walk(table.child(i), gfn, visitor);
            }
        }
    }
}
