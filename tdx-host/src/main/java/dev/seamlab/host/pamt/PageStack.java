// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.pamt;

import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.mem.PageAllocator;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.host.mem.PoolPages;
import dev.seamlab.machine.Pfn;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Free pages of a pool, last in, first out, as the kernel's list is used. Belongs to one vCPU,
 * whose mutex its user holds.
 */
final class PageStack {
    private final PageAllocator pages;
    private final int node;
    private @Pfn long[] stack = new long[16];
    private int count;
    // There while pages may leave the pool.
    private @Nullable PoolPages books;

    PageStack(PageAllocator pages, int node) {
        this.pages = pages;
        this.node = node;
    }

    /** Adds pages from a CPU's list until at least {@code minimum} are there. */
    int topUp(HostCpu cpu, int minimum) {
        prepare(minimum);
        while (count < minimum) {
            if (!add(pages.allocate(cpu, PageUse.POOL))) {
                return Errno.ENOMEM;
            }
        }
        return Errno.OK;
    }

    /** Adds pages until at least {@code minimum} are there. */
    int topUp(int minimum) {
        prepare(minimum);
        while (count < minimum) {
            if (!add(pages.allocate(node, PageUse.POOL))) {
                return Errno.ENOMEM;
            }
        }
        return Errno.OK;
    }

    private void prepare(int minimum) {
        if (minimum > stack.length) {
            stack = Arrays.copyOf(stack, minimum);
        }
        if (books == null) {
            books = pages.newPool();
        }
    }

    private boolean add(@Pfn long pfn) {
        if (pfn == PageAllocator.NONE) {
            return false;
        }
        stack[count++] = pfn;
        return true;
    }

    /** Takes a page for a use, or answers NONE. */
    @Pfn
    long take(PageUse use) {
        if (count == 0 || books == null) {
            return PageAllocator.NONE;
        }
        long pfn = stack[--count];
        books.leaves(pfn, use);
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
            // what was taken goes back, to the page allocator as in the kernel.
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
        if (books != null) {
            books.close();
            books = null;
        }
    }
}
