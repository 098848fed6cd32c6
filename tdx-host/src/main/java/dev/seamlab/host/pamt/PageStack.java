// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.pamt;

import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.mem.PageAllocator;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.machine.Pfn;
import java.util.Arrays;

/** Free pages of a pool, last in, first out, as the kernel's list is used. */
final class PageStack {
    private final PageAllocator pages;
    private final int node;
    private @Pfn long[] stack = new long[16];
    private int count;

    PageStack(PageAllocator pages, int node) {
        this.pages = pages;
        this.node = node;
    }

    /** Adds pages until at least {@code minimum} are there. */
    int topUp(int minimum) {
        if (minimum > stack.length) {
            stack = Arrays.copyOf(stack, minimum);
        }
        while (count < minimum) {
            long pfn = pages.allocate(node, PageUse.POOL);
            if (pfn == PageAllocator.NONE) {
                return Errno.ENOMEM;
            }
            stack[count++] = pfn;
        }
        return Errno.OK;
    }

    /** Takes a page for a use, or answers NONE. */
    @Pfn
    long take(PageUse use) {
        if (count == 0) {
            return PageAllocator.NONE;
        }
        long pfn = stack[--count];
        pages.retag(pfn, PageUse.POOL, use);
        return pfn;
    }

    /** Takes a pair, or nothing. */
    boolean takePair(@Pfn long[] pair) {
        pair[0] = take(PageUse.PAMT_PAIR);
        if (pair[0] == PageAllocator.NONE) {
            return false;
        }
        pair[1] = take(PageUse.PAMT_PAIR);
        if (pair[1] == PageAllocator.NONE) {
            pages.free(pair[0], PageUse.PAMT_PAIR);
            return false;
        }
        return true;
    }

    int held() {
        return count;
    }

    void drain() {
        while (count > 0) {
            pages.free(stack[--count], PageUse.POOL);
        }
    }
}
