// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.pamt;

import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.mem.PageAllocator;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.machine.Pfn;

/**
 * tdx_alloc_page and tdx_free_page: pages with PAMT backing, for TDR, TDCS, TDVPR and TDCX (facts:
 * Linux sheet section 3.8).
 */
public final class ControlPages {
    private final PageAllocator pages;
    private final PamtBacking backing;
    private final PairSource[] sleepingPairs;

    public ControlPages(PageAllocator pages, PamtBacking backing) {
        this.pages = pages;
        this.backing = backing;
        this.sleepingPairs = new PairSource[pages.nodes()];
        for (int node = 0; node < sleepingPairs.length; node++) {
            sleepingPairs[node] = new AllocatorPairs(pages, node);
        }
    }

    /**
     * tdx_alloc_page, merged as tdx_alloc_control_page. Allocates a page, with backing, near a CPU.
     * May sleep as the kernel's does, so no spinning lock may be held.
     *
     * @return the page, or {@link PageAllocator#NONE}; the kernel's callers answer ENOMEM then
     */
    public @Pfn long allocate(HostCpu cpu) {
        long pfn = pages.allocate(cpu, PageUse.CONTROL);
        if (pfn == PageAllocator.NONE) {
            return PageAllocator.NONE;
        }
        if (backing.get(cpu, pfn, sleepingPairs[cpu.node()]) != Errno.OK) {
            pages.free(cpu, pfn, PageUse.CONTROL);
            return PageAllocator.NONE;
        }
        return pfn;
    }

    /**
     * tdx_free_page, merged as tdx_free_control_page. Gives up the backing and frees the page; NONE
     * is accepted and ignored.
     */
    public void free(HostCpu cpu, @Pfn long pfn) {
        if (pfn == PageAllocator.NONE) {
            return;
        }
        backing.put(cpu, pfn);
        pages.free(cpu, pfn, PageUse.CONTROL);
    }
}
