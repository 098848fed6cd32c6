// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.mem;

import dev.seamlab.machine.Pfn;

/**
 * How a pool accounts for the pages that leave it. Belongs to the pool's only user, like the pool.
 */
public final class PoolPages {
    private final PageAllocator pages;
    private final Tally share;
    private final GibCursor cursor;

    PoolPages(PageAllocator pages, Tally share, GibCursor cursor) {
        this.pages = pages;
        this.share = share;
        this.cursor = cursor;
    }

    /**
     * A page of the pool gets its use. Takes no lock.
     *
     * @param pfn one that counts as {@link PageUse#POOL}
     */
    public void leaves(@Pfn long pfn, PageUse use) {
        pages.retag(share, cursor.at(pfn), pfn, PageUse.POOL, use);
    }

    /** The pool is gone; what left it stays counted. */
    public void close() {
        pages.retire(share);
    }
}
