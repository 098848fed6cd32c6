// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.init;

import dev.seamlab.host.kernel.Errno;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Hpa;
import java.util.ArrayList;
import java.util.List;

/**
 * The addresses that one TDMR covers, whole GiBs.
 *
 * @param base first byte
 * @param end first byte after it
 */
public record TdmrRange(@Hpa long base, @Hpa long end) {
    /** Bytes. */
    public long size() {
        return end - base;
    }

    /**
     * Covers all blocks with as few TDMRs as the kernel does: one per block, rounded out to GiBs,
     * cut where it would overlap the one before (facts: Linux sheet section 2.4). Holes of less
     * than a GiB get swallowed and have to be reserved.
     *
     * @throws TdxInitException ENOSPC where more than {@code maxTdmrs} would be needed
     */
    public static List<TdmrRange> covering(List<MemoryBlock> blocks, int maxTdmrs)
            throws TdxInitException {
        List<TdmrRange> ranges = new ArrayList<>();
        for (MemoryBlock block : blocks) {
            long start = Addresses.alignDown(block.start(), Addresses.GIB);
            long end = Addresses.alignUp(block.end(), Addresses.GIB);
            long covered = ranges.isEmpty() ? 0 : ranges.getLast().end();
            if (end <= covered) {
                continue;
            }
            if (ranges.size() == maxTdmrs) {
                throw new TdxInitException(
                        InitStep.TDMRS,
                        Errno.ENOSPC,
                        "the memory map needs more than the "
                                + maxTdmrs
                                + " TDMRs that the module takes",
                        "initialization failed: TDMRs exhausted.");
            }
            ranges.add(new TdmrRange(Math.max(start, covered), end));
        }
        return ranges;
    }

    /**
     * The node for this TDMR's PAMT: that of the first block that ends above its base, so a TDMR
     * that spans nodes uses the lowest.
     *
     * @return the node; or -1 where no block is there, which cannot be, and makes the kernel warn
     *     and take node 0
     */
    public int node(List<MemoryBlock> blocks) {
        for (MemoryBlock block : blocks) {
            if (block.end() > base) {
                return block.node();
            }
        }
        return -1;
    }
}
