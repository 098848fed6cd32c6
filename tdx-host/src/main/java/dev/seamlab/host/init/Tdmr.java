// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.init;

import dev.seamlab.machine.Hpa;
import dev.seamlab.machine.PhysicalMemory;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.TdmrInfo;
import java.util.List;

/**
 * One TD memory region as the module gets to know it.
 *
 * @param range what it covers
 * @param chunk its PAMT
 * @param reserved what of it is no TD memory
 */
public record Tdmr(TdmrRange range, PamtChunk chunk, List<ReservedArea> reserved) {
    public Tdmr {
        reserved = List.copyOf(reserved);
    }

    /** Writes this TDMR's TDMR_INFO, over zeroes, at an address. */
    public void writeInfo(PhysicalMemory memory, @Hpa long info) {
        TdmrInfo.writeRange(memory, info, range.base(), range.size());
        PamtLayout layout = chunk.layout();
        TdmrInfo.writePamt(memory, info, PageInfo.LEVEL_4K, chunk.base4k(), layout.bytes4k());
        TdmrInfo.writePamt(memory, info, PageInfo.LEVEL_2M, chunk.base2m(), layout.bytes2m());
        TdmrInfo.writePamt(memory, info, PageInfo.LEVEL_1G, chunk.base1g(), layout.bytes1g());
        for (int i = 0; i < reserved.size(); i++) {
            ReservedArea area = reserved.get(i);
            TdmrInfo.writeReserved(
                    memory, info, i, area.start() - range.base(), area.end() - area.start());
        }
    }
}
