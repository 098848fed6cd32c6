// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.mem.PageAllocator;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.host.pamt.PairSource;
import dev.seamlab.machine.Pfn;
import dev.seamlab.machine.sched.Lock;
import dev.seamlab.machine.sched.LockRank;
import java.util.Arrays;

/**
 * Pages kept ready to split 2M leaves of one VM. Splits happen under MMU held for writing and for
 * callers that are no vCPU, so the pool belongs to the VM and has a lock of its own (facts: Linux
 * sheet section 4.12; here a spinlock, as in version 3 of the huge-page series).
 *
 * <p>Several callers may be between their top-up and their splits, so each reserves what it may
 * need: the pool never holds less than the sum of all reservations still open.
 */
final class SplitPool implements PairSource {
    /** A Secure EPT page, the pair of its range, and the pair that DEMOTE takes. */
    static final int PAGES_PER_SPLIT = 1 + 2 + 2;

    private final PageAllocator pages;
    private final int node;
    private final Lock lock = new Lock(LockRank.SPLIT_POOL);

    // Guarded by lock.
    private @Pfn long[] stack = new long[2 * PAGES_PER_SPLIT];
    private int count;
    private int reserved;
    private int highWater;

    /**
     * @param node where pages come from first
     */
    SplitPool(PageAllocator pages, int node) {
        this.pages = pages;
        this.node = node;
    }

    /** Reserves pages for some splits; may sleep. OK, or ENOMEM and nothing is reserved. */
    int reserve(int splits) {
        int wanted = splits * PAGES_PER_SPLIT;
        change(wanted);
        while (isShort()) {
            long page = pages.allocate(node, PageUse.POOL);
            if (page == PageAllocator.NONE) {
                change(-wanted);
                return Errno.ENOMEM;
            }
            push(page);
        }
        return Errno.OK;
    }

    /** The splits of a reservation were done or were not necessary; what is left stays. */
    void release(int splits) {
        change(-splits * PAGES_PER_SPLIT);
    }

    /** Takes a page for a table, which counts as SEPT from here on; there is one. */
    @Pfn
    long takeTable() {
        return take(PageUse.SEPT);
    }

    @Override
    public boolean take(@Pfn long[] pair) {
        pair[0] = take(PageUse.PAMT_PAIR);
        pair[1] = take(PageUse.PAMT_PAIR);
        return true;
    }

    /** Pages in the pool. */
    int held() {
        lock.lock();
        try {
            return count;
        } finally {
            lock.unlock();
        }
    }

    /** Most pages that were ever in the pool. */
    int highWater() {
        lock.lock();
        try {
            return highWater;
        } finally {
            lock.unlock();
        }
    }

    /** Frees all pages; nobody has a reservation any more. */
    void drain() {
        lock.lock();
        try {
            assert reserved == 0 : reserved + " pages are still reserved";
            while (count > 0) {
                pages.free(stack[--count], PageUse.POOL);
            }
        } finally {
            lock.unlock();
        }
    }

    private @Pfn long take(PageUse use) {
        lock.lock();
        try {
            if (count == 0) {
                throw new AssertionError("a split without reservation");
            }
            long page = stack[--count];
            pages.retag(page, PageUse.POOL, use);
            return page;
        } finally {
            lock.unlock();
        }
    }

    private void push(@Pfn long page) {
        lock.lock();
        try {
            if (count == stack.length) {
                stack = Arrays.copyOf(stack, 2 * count);
            }
            stack[count++] = page;
            highWater = Math.max(highWater, count);
        } finally {
            lock.unlock();
        }
    }

    private void change(int pagesReserved) {
        lock.lock();
        try {
            reserved += pagesReserved;
        } finally {
            lock.unlock();
        }
    }

    private boolean isShort() {
        lock.lock();
        try {
            return count < reserved;
        } finally {
            lock.unlock();
        }
    }
}
