// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Hpa;
import dev.seamlab.machine.Pfn;
import java.util.List;

/**
 * What the TD as a whole holds: KeyID, TDR and TDCS pages.
 *
 * @param hkid KeyID, or 0 where it was given back
 * @param tdrPfn the TDR, or 0
 * @param tdcs pages that the module has taken by MNG.ADDCX
 */
record TdPages(int hkid, @Pfn long tdrPfn, List<Long> tdcs) {
    static final TdPages NONE = new TdPages(0, 0, List.of());

    TdPages {
        tdcs = List.copyOf(tdcs);
    }

    @Hpa
    long tdr() {
        return Addresses.hpa(tdrPfn);
    }

    long count() {
        return (long) tdcs.size() + (tdrPfn == 0 ? 0 : 1);
    }
}
