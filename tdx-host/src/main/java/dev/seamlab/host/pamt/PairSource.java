// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.pamt;

import dev.seamlab.machine.Pfn;

/** Where get takes the two pages of a PAMT page pair from. */
public interface PairSource {
    /**
     * Takes two pages, not necessarily neighbours. They count as {@link
     * dev.seamlab.host.mem.PageUse#PAMT_PAIR} from here on: get frees them again if the module does
     * not want them, and always to the page allocator, never back to a pool.
     *
     * @param pair receives the two frame numbers
     * @return whether both could be had; if not, none was taken
     */
    boolean take(@Pfn long[] pair);
}
