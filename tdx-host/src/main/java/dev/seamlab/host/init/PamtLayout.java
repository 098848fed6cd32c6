// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.init;

import dev.seamlab.machine.Addresses;

/**
 * Sizes of the three slots of a TDMR's PAMT, in bytes, each of whole pages (facts: Linux sheet
 * section 2.5).
 *
 * @param bytes4k entries of all 4K pages; with Dynamic PAMT the page bitmap
 * @param bytes2m entries of all 2M pages
 * @param bytes1g entries of all 1G pages
 */
public record PamtLayout(long bytes4k, long bytes2m, long bytes1g) {
    /** The layout for a TDMR of {@code size} bytes. */
    public static PamtLayout of(long size, PamtSizes sizes, boolean dynamic) {
        long pages4k = size >>> Addresses.PAGE_SHIFT;
        long bits = pages4k * sizes.bitmapBits();
        return new PamtLayout(
                wholePages(
                        dynamic ? (bits + Byte.SIZE - 1) / Byte.SIZE : pages4k * sizes.entry4k()),
                wholePages((size >>> Addresses.RANGE_SHIFT) * sizes.entry2m()),
                wholePages((size >>> Addresses.GIB_SHIFT) * sizes.entry1g()));
    }

    /** All three. */
    public long total() {
        return bytes4k + bytes2m + bytes1g;
    }

    private static long wholePages(long bytes) {
        return Addresses.alignUp(bytes, Addresses.PAGE_SIZE);
    }
}
