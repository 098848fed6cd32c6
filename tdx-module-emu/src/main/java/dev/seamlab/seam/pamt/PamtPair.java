// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.pamt;

import dev.seamlab.machine.Pfn;

/**
 * The page pair of a 2M range; a snapshot for auditors.
 *
 * @param page0 entries of the first 256 pages
 * @param page1 entries of the last 256 pages
 * @param usedPages 4K pages of the range in use
 */
public record PamtPair(@Pfn long page0, @Pfn long page1, int usedPages) {}
