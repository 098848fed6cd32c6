// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.init;

/**
 * What the module says about the size of its metadata.
 *
 * @param entry4k bytes of a PAMT entry per 4K page
 * @param entry2m bytes of a PAMT entry per 2M page
 * @param entry1g bytes of a PAMT entry per 1G page
 * @param bitmapBits bits per 4K page in the page bitmap of Dynamic PAMT; 0 where the module has
 *     none
 */
public record PamtSizes(int entry4k, int entry2m, int entry1g, int bitmapBits) {}
