// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.pamt;

import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.machine.Pfn;

/**
 * Pages kept ready for one vCPU's faults, because the fault path holds the MMU lock and may not
 * allocate: pairs for get, and pages for new Secure EPT tables. Belongs to one vCPU and is used
 * only by the thread that holds that vCPU's mutex.
 */
public interface FaultPool extends PairSource {
    /** Tables that one fault may need at most, by the kernel's count (PT64_ROOT_MAX_LEVEL). */
    int ROOT_MAX_LEVEL = 5;

    /**
     * Fills the pool for one fault attempt from a CPU's page list; may sleep, so call it before the
     * MMU lock.
     *
     * @param cpu claimed by this thread
     * @param septPages Secure EPT pages that the attempt may need
     * @return OK or ENOMEM; pages already added stay
     */
    int topUp(HostCpu cpu, int septPages);

    /**
     * Fills the pool where the caller has no CPU.
     *
     * @param septPages Secure EPT pages that the attempt may need
     * @return OK or ENOMEM; pages already added stay
     */
    int topUp(int septPages);

    /**
     * Takes a page for a Secure EPT table; it counts as {@link dev.seamlab.host.mem.PageUse#SEPT}
     * from here on, and the caller frees it as such.
     *
     * @return the page, or {@link dev.seamlab.host.mem.PageAllocator#NONE}
     */
    @Pfn
    long takeSeptPage();

    /** Pages in the pool. */
    int held();

    /** Frees all pages in the pool. */
    void drain();
}
