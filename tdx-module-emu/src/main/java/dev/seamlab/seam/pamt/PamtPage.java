// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.pamt;

import dev.seamlab.machine.Pfn;
import dev.seamlab.seam.abi.PageType;

/**
 * What the metadata says about a 4K page; a snapshot for auditors.
 *
 * @param type type of the entry that decides about the page
 * @param owner TDR page frame, 0 for none; of a free page the last owner
 * @param level level of that entry
 * @param bepoch blocking epoch of that entry
 * @param metadataPage Dynamic PAMT: the page's bitmap bit
 */
public record PamtPage(
        PageType type, @Pfn long owner, int level, long bepoch, boolean metadataPage) {}
