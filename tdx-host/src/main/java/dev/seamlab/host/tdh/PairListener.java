// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.tdh;

import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.machine.Pfn;

/**
 * Told of every page pair that the module takes or returns, on the CPU that made the call, under
 * the PAMT lock. For accounting: it must not sleep, allocate host pages, or issue SEAMCALLs.
 */
public interface PairListener {
    /** Takes no notice. */
    PairListener NONE =
            new PairListener() {
                @Override
                public void added(HostCpu cpu, @Pfn long pfn) {
                    // Nobody keeps accounts.
                }

                @Override
                public void removed(HostCpu cpu, @Pfn long pfn) {
                    // Nobody keeps accounts.
                }
            };

    /**
     * A range got its pair.
     *
     * @param pfn the page that needed it
     */
    void added(HostCpu cpu, @Pfn long pfn);

    /**
     * A range lost its pair.
     *
     * @param pfn a page of the range
     */
    void removed(HostCpu cpu, @Pfn long pfn);
}
