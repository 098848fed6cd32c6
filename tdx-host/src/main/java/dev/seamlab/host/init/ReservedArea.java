// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.init;

import dev.seamlab.host.kernel.Errno;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Hpa;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * A part of a TDMR that the module must not hand to TDs: a hole in RAM, or PAMT.
 *
 * @param start first byte
 * @param end first byte after it
 */
public record ReservedArea(@Hpa long start, @Hpa long end) {

    /**
     * The reserved areas of a TDMR, ascending (facts: Linux sheet section 2.6). Invariant: they are
     * disjoint, and the TDMR without them lies inside the memory list.
     *
     * @param blocks the memory list
     * @param chunks the PAMT of every TDMR, for a chunk may lie in any of them
     * @throws TdxInitException ENOSPC where there are more than {@code max}
     */
    public static List<ReservedArea> of(
            TdmrRange tdmr, List<MemoryBlock> blocks, List<PamtChunk> chunks, int max)
            throws TdxInitException {
        List<ReservedArea> areas = new ArrayList<>();
        addHoles(areas, tdmr, blocks);
        for (PamtChunk chunk : chunks) {
            long start = Math.max(chunk.base(), tdmr.base());
            long end = Math.min(chunk.end(), tdmr.end());
            if (start < end) {
                areas.add(new ReservedArea(start, end));
            }
        }
        areas.sort(Comparator.comparingLong(ReservedArea::start));
        if (areas.size() > max) {
            throw new TdxInitException(
                    InitStep.RESERVED_AREAS,
                    Errno.ENOSPC,
                    "the TDMR at "
                            + Addresses.show(tdmr.base())
                            + " needs "
                            + areas.size()
                            + " reserved areas, the module takes "
                            + max,
                    String.format(
                            "initialization failed: TDMR [0x%x, 0x%x): reserved areas exhausted.",
                            tdmr.base(), tdmr.end()));
        }
        for (int i = 1; i < areas.size(); i++) {
            if (areas.get(i).start < areas.get(i - 1).end) {
                throw new TdxInitException(
                        InitStep.RESERVED_AREAS,
                        Errno.EINVAL,
                        "reserved areas overlap at " + Addresses.show(areas.get(i).start));
            }
        }
        return areas;
    }

    private static void addHoles(
            List<ReservedArea> areas, TdmrRange tdmr, List<MemoryBlock> blocks) {
        long covered = tdmr.base();
        for (MemoryBlock block : blocks) {
            if (block.end() <= tdmr.base() || block.start() >= tdmr.end()) {
                continue;
            }
            if (block.start() > covered) {
                areas.add(new ReservedArea(covered, block.start()));
            }
            covered = block.end();
        }
        if (covered < tdmr.end()) {
            areas.add(new ReservedArea(covered, tdmr.end()));
        }
    }
}
