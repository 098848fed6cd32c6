// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.mem;

import dev.seamlab.machine.Pfn;
import org.jspecify.annotations.Nullable;

/**
 * From a page frame to the GiB that holds it. Two levels, because memory may lie at the top of the
 * address space. Does not change once the host runs.
 */
final class PageDirectory {
    private static final int ROW_SHIFT = 9;
    private static final int ROW = 1 << ROW_SHIFT;

    private final @Nullable GibPages[] @Nullable [] rows;

    /**
     * @param maxPfn first frame after the highest RAM
     */
    PageDirectory(@Pfn long maxPfn) {
        rows = new @Nullable GibPages[(int) (maxPfn >>> (GibPages.SHIFT + ROW_SHIFT)) + 1][];
    }

    /** Adds a GiB; a GiB that two zones share is there once for each. */
    void add(GibPages gib) {
        long number = gib.firstPfn() >>> GibPages.SHIFT;
        int row = (int) (number >>> ROW_SHIFT);
        @Nullable GibPages[] entries = rows[row];
        if (entries == null) {
            entries = new @Nullable GibPages[ROW];
            rows[row] = entries;
        }
        int column = (int) number & (ROW - 1);
        gib.setSibling(entries[column]);
        entries[column] = gib;
    }

    /** The GiB of a page, or null where the page is no RAM. */
    @Nullable GibPages find(@Pfn long pfn) {
        long number = pfn >>> GibPages.SHIFT;
        long row = number >>> ROW_SHIFT;
        if (pfn < 0 || row >= rows.length) {
            return null;
        }
        @Nullable GibPages[] entries = rows[(int) row];
        GibPages gib = entries == null ? null : entries[(int) number & (ROW - 1)];
        int offset = (int) pfn & (GibPages.PAGES - 1);
        while (gib != null && !gib.isPresent(offset)) {
            gib = gib.sibling();
        }
        return gib;
    }
}
