// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.init;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Hpa;
import dev.seamlab.machine.Pfn;

/**
 * RAM that TDX may use.
 *
 * @param startPfn first frame
 * @param endPfn first frame after it
 * @param node NUMA node
 */
public record MemoryBlock(@Pfn long startPfn, @Pfn long endPfn, int node) {
    /** Address of the first byte. */
    public @Hpa long start() {
        return Addresses.hpa(startPfn);
    }

    /** Address of the first byte after the block. */
    public @Hpa long end() {
        return Addresses.hpa(endPfn);
    }
}
