// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.pamt;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Pfn;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.lock.SharexLock;
import java.util.ArrayList;
import java.util.List;

/** Locks of PAMT entries that somebody holds; of a module at rest nobody does. */
public final class PamtLocks {
    private PamtLocks() {}

    /** Looks at the entries of a stretch of initialised pages; a line for each that is held. */
    public static List<String> held(Pamt pamt, @Pfn long first, int pages) {
        List<String> held = new ArrayList<>();
        PageRef at = new PageRef();
        for (int page = 0; page < pages; page++) {
            @Pfn long pfn = first + page;
            PamtPage decides = pamt.peek(pfn);
            if (decides == null) {
                continue;
            }
            if (page == 0) {
                look(pamt, at, pfn, PageInfo.LEVEL_1G, held);
            }
            if (page % Addresses.PAGES_PER_RANGE == 0) {
                look(pamt, at, pfn, PageInfo.LEVEL_2M, held);
            }
            if (decides.level() == PageInfo.LEVEL_4K) {
                look(pamt, at, pfn, PageInfo.LEVEL_4K, held);
            }
        }
        return held;
    }

    private static void look(Pamt pamt, PageRef at, @Pfn long pfn, int level, List<String> held) {
        pamt.locate(at, Addresses.hpa(pfn), level);
        if (SharexLock.isHeld(at.words()[at.at()])) {
            held.add(
                    "PAMT entry of level " + level + " at " + Long.toHexString(pfn) + " is locked");
        }
    }
}
