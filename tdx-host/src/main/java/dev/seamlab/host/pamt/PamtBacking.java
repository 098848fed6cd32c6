// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.pamt;

import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.machine.Pfn;

/**
 * tdx_pamt_get and tdx_pamt_put: makes sure that the 2 MiB range of a page has its PAMT page pair
 * while the page is in TDX use.
 *
 * <p>Invariants of all variants (facts: Linux sheet section 3.2):
 *
 * <ol>
 *   <li>I1: count above zero means that the pair is installed, whenever nobody is inside a critical
 *       section for that range.
 *   <li>I2: count zero and nobody inside means that no pair is installed; a failed REMOVE leaks the
 *       pair and keeps the count.
 *   <li>I3: once get returned 0, the backing stays until the matching put.
 *   <li>I4: each page given to the module holds exactly one count: S-EPT, control and 4K guest
 *       pages alike; 2M leaves hold none.
 *   <li>I5: put never allocates, never sleeps and never reports failure.
 *   <li>I6: get fails with ENOMEM or EIO only; losing a race is success.
 *   <li>I7: pages that REMOVE returned are reset before they are freed.
 *   <li>I8: pages of a pair hold no count of their own.
 * </ol>
 *
 * Numbers in the variants' comments are those of the step lists in the facts (Linux sheet sections
 * 3.3 to 3.6); step 1, whether Dynamic PAMT is there at all, is {@link StaticBacking}.
 *
 * <p>One class per variant of the series, all of the same shape, so that the difference between two
 * of them is the patch.
 */
public interface PamtBacking {
    /**
     * Counts one more page of a range and installs the pair for the first.
     *
     * @param cpu the CPU the caller has claimed
     * @param pfn the page that is about to be given to the module
     * @param pairs where the pair comes from, if one is needed
     * @return {@link dev.seamlab.host.kernel.Errno}: OK, ENOMEM or EIO
     */
    int get(HostCpu cpu, @Pfn long pfn, PairSource pairs);

    /** Counts one page less and takes the pair back after the last. */
    void put(HostCpu cpu, @Pfn long pfn);
}
