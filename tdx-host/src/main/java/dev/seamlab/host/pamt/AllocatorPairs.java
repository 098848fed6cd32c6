// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.pamt;

import dev.seamlab.host.mem.PageAllocator;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.machine.Pfn;

/** Pairs straight from the page allocator, where the caller may sleep: "no pool given". */
public final class AllocatorPairs implements PairSource {
    private final PageAllocator pages;
    private final int node;

    /**
     * @param node where to look first
     */
    public AllocatorPairs(PageAllocator pages, int node) {
        this.pages = pages;
        this.node = node;
    }

    @Override
    public boolean take(@Pfn long[] pair) {
        pair[0] = pages.allocate(node, PageUse.PAMT_PAIR);
        if (pair[0] == PageAllocator.NONE) {
            return false;
        }
        pair[1] = pages.allocate(node, PageUse.PAMT_PAIR);
        if (pair[1] == PageAllocator.NONE) {
            // what was taken must go back, and nothing else.
            pages.free(pair[0], PageUse.PAMT_PAIR);
            return false;
        }
        return true;
    }
}
