// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.pamt;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Pfn;
import dev.seamlab.machine.PhysicalMemory;

/**
 * Makes a page that comes back from the module fit for the host. On parts with the partial-write
 * erratum a page must be overwritten by whole cache lines (MOVDIR64B) before anybody writes part of
 * one, or it stays poisoned; on other parts nothing needs to be done (facts: Linux sheet
 * section 2.8). Open to be watched by tests.
 */
public class PageReset {
    private final PhysicalMemory memory;
    private final boolean erratum;

    public PageReset(PhysicalMemory memory, boolean erratum) {
        this.memory = memory;
        this.erratum = erratum;
    }

    /** Resets a page; call before it goes back to the page allocator. */
    public void reset(@Pfn long pfn) {
        if (erratum) {
            memory.zeroPage(Addresses.hpa(pfn));
        }
    }
}
