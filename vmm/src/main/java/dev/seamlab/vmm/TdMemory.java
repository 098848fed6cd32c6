// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

import dev.seamlab.machine.Addresses;

/**
 * The host memory that one TD holds.
 *
 * @param pamt dynamic PAMT page pairs that this TD's pages were the first to need. Pairs stand for
 *     2 MiB ranges of host memory, which TDs share: the pair stays with its first user until the
 *     range is empty
 * @param controlPages TDR, TDCS, TDVPR and TDCX pages
 * @param septPages Secure EPT pages below the root
 * @param privatePages guest pages that the module holds for this TD
 * @param guestMemfdPages guest pages allocated for private use, mapped or not
 * @param sharedPages guest pages allocated for shared use
 * @param poolPages pages that wait in the vCPUs' fault pools
 * @param leakedPages pages given up on purpose, because the module may still own them
 * @param largeLeaves how many times 2 MiB of the private pages are mapped as one
 */
public record TdMemory(
        PamtShare pamt,
        long controlPages,
        long septPages,
        long privatePages,
        long guestMemfdPages,
        long sharedPages,
        long poolPages,
        long leakedPages,
        long largeLeaves) {
    /** Nothing held. */
    public static final TdMemory NONE = new TdMemory(PamtShare.NONE, 0, 0, 0, 0, 0, 0, 0, 0);

    /** Pages that each hold one reference on the PAMT backing of their range. */
    public long backedPages() {
        long inLargeLeaves = largeLeaves * Addresses.PAGES_PER_RANGE;
        return controlPages + septPages + privatePages - inLargeLeaves;
    }
}
