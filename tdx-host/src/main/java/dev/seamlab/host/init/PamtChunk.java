// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.init;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Hpa;
import dev.seamlab.machine.Pfn;

/**
 * The PAMT of one TDMR in one contiguous piece, in the order 4K, 2M, 1G. One piece, because each
 * piece inside a TDMR uses up a reserved area.
 *
 * @param base first byte
 * @param layout sizes of the slots
 */
public record PamtChunk(@Hpa long base, PamtLayout layout) {
    public @Hpa long base4k() {
        return base;
    }

    public @Hpa long base2m() {
        return base + layout.bytes4k();
    }

    public @Hpa long base1g() {
        return base2m() + layout.bytes2m();
    }

    /** First byte after the chunk. */
    public @Hpa long end() {
        return base + layout.total();
    }

    /** First frame. */
    public @Pfn long firstPfn() {
        return Addresses.pfn(base);
    }

    /** Number of pages. */
    public long pages() {
        return layout.total() >>> Addresses.PAGE_SHIFT;
    }
}
