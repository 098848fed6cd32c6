// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.pamt;

import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.mem.PageAllocator;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.machine.Pfn;
import dev.seamlab.machine.sched.Cells;

/**
 * The pool of version 4, patches 11 to 13: Secure EPT pages and PAMT pages in one list (facts:
 * Linux sheet sections 1.12 and 3.8).
 *
 * <p>With Dynamic PAMT it holds 15 pages for the usual five tables: the tables, and two pages for
 * each of five gets (four tables below the root and the guest page). That is the worst case; tables
 * that fall into one 2 MiB range need fewer.
 *
 * <p>When it runs dry, a Secure EPT page comes from an atomic allocation, with a warning, and a
 * pair does not come at all: get answers ENOMEM.
 */
public final class MixedPool implements FaultPool {
    private static final int PAGES_FOR_GETS = 2 * ROOT_MAX_LEVEL;
    private static final int FALLBACKS = 16;

    private final PageAllocator pages;
    private final int node;
    private final boolean dynamicPamt;
    private final PageStack stack;
    private final int[] words = new int[32];

    /**
     * @param node where pages come from first
     */
    public MixedPool(PageAllocator pages, int node, boolean dynamicPamt) {
        this.pages = pages;
        this.node = node;
        this.dynamicPamt = dynamicPamt;
        this.stack = new PageStack(pages, node);
    }

    @Override
    public int topUp(HostCpu cpu, int septPages) {
        return stack.topUp(cpu, minimum(septPages));
    }

    @Override
    public int topUp(int septPages) {
        return stack.topUp(minimum(septPages));
    }

    private int minimum(int septPages) {
        return septPages + (dynamicPamt ? PAGES_FOR_GETS : 0);
    }

    @Override
    public @Pfn long takeSeptPage() {
        long pfn = stack.take(PageUse.SEPT);
        if (pfn != PageAllocator.NONE) {
            return pfn;
        }
        Cells.getAndAdd(words, FALLBACKS, 1);
        return pages.allocateAtomic(node, PageUse.SEPT);
    }

    @Override
    public boolean take(@Pfn long[] pair) {
        return stack.takePair(pair);
    }

    @Override
    public int held() {
        return stack.held();
    }

    /** How often an empty pool made a Secure EPT page come from an atomic allocation. */
    public int fallbacks() {
        return Cells.acquire(words, FALLBACKS);
    }

    @Override
    public void drain() {
        stack.drain();
    }
}
