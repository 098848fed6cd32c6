// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.pamt;

import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.mem.PageAllocator;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.machine.Pfn;

/**
 * The caches of version 6 and of the merged code: ten PAMT pages in a cache of their own per vCPU,
 * Secure EPT pages in KVM's ordinary cache beside it (facts: Linux sheet sections 3.8 and 4.2).
 * Neither has a fallback when it is empty.
 *
 * <p>In the kernel the two caches have two owners and are topped up one after the other, before the
 * MMU lock; here one object stands for both, so that the fault path looks the same with each
 * variant.
 */
public final class PairCache implements FaultPool {
    private static final int PAMT_PAGES = 2 * ROOT_MAX_LEVEL;

    private final boolean dynamicPamt;
    private final PageStack pamtPages;
    private final PageStack septPages;

    /**
     * @param node where pages come from first
     */
    public PairCache(PageAllocator pages, int node, boolean dynamicPamt) {
        this.dynamicPamt = dynamicPamt;
        this.pamtPages = new PageStack(pages, node);
        this.septPages = new PageStack(pages, node);
    }

    @Override
    public int topUp(HostCpu cpu, int septPages) {
        int result = this.septPages.topUp(cpu, septPages);
        if (result != Errno.OK || !dynamicPamt) {
            return result;
        }
        return pamtPages.topUp(cpu, PAMT_PAGES);
    }

    @Override
    public int topUp(int septPages) {
        int result = this.septPages.topUp(septPages);
        if (result != Errno.OK || !dynamicPamt) {
            return result;
        }
        return pamtPages.topUp(PAMT_PAGES);
    }

    @Override
    public @Pfn long takeSeptPage() {
        return septPages.take(PageUse.SEPT);
    }

    @Override
    public boolean take(@Pfn long[] pair) {
        return pamtPages.takePair(pair);
    }

    @Override
    public int held() {
        return septPages.held() + pamtPages.held();
    }

    @Override
    public void drain() {
        septPages.drain();
        pamtPages.drain();
    }
}
