// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.pamt;

import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.kernel.KernelLog;
import dev.seamlab.host.mem.PageAllocator;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Pfn;
import dev.seamlab.machine.sched.Cells;
import dev.seamlab.seam.abi.Status;

/** What happens to the pages of a pair outside the lock, the same in all variants. */
public final class PairPages {
    private static final int WARNED = 16;

    private final PageAllocator pages;
    private final PageReset reset;
    private final KernelLog log;
    private final int[] words = new int[32];

    public PairPages(PageAllocator pages, PageReset reset, KernelLog log) {
        this.pages = pages;
        this.reset = reset;
        this.log = log;
    }

    /** Resets and frees a pair that the module has returned, or never took (R-22: harmless). */
    void free(HostCpu cpu, @Pfn long page0, @Pfn long page1) {
        // I7: reset first, then free, and both outside the PAMT lock.
        reset.reset(page0);
        reset.reset(page1);
        pages.free(cpu, page0, PageUse.PAMT_PAIR);
        pages.free(cpu, page1, PageUse.PAMT_PAIR);
    }

    /** Frees the pair that PAMT.REMOVE has left in the CPU's registers. */
    void freeReturned(HostCpu cpu) {
        free(cpu, Addresses.pfn(cpu.regs().rdx()), Addresses.pfn(cpu.regs().r8()));
    }

    /** Logs a refusal by the module each time, as a plain error message of the kernel does. */
    void complain(String leaf, @Pfn long pfn, long status) {
        log.line(
                "virt/tdx: "
                        + leaf
                        + " failed for "
                        + Addresses.show(Addresses.hpa(pfn))
                        + ": "
                        + Status.show(status));
    }

    /** Logs a refusal by the module once. */
    void warnOnce(String leaf, @Pfn long pfn, long status) {
        if (Cells.cas(words, WARNED, 0, 1)) {
            complain(leaf, pfn, status);
        }
    }
}
