// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.phymem;

import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.core.LeafHandler;
import dev.seamlab.seam.core.ModuleState;
import dev.seamlab.seam.core.PageAccess;
import dev.seamlab.seam.core.TdAccess;
import java.util.function.BiConsumer;

/** Rows of TDH.PHYMEM.* in the dispatch table. */
public final class PhymemLeaves {
    private PhymemLeaves() {}

    /** Adds the rows. */
    public static void register(
            ModuleState state,
            PageAccess pages,
            TdAccess tds,
            BiConsumer<Leaf, LeafHandler> table) {
        table.accept(Leaf.PHYMEM_PAGE_RDMD, new PageRdmd(state, pages));
        table.accept(Leaf.PHYMEM_PAGE_RECLAIM, new PageReclaim(state, pages, tds));
        table.accept(Leaf.PHYMEM_PAGE_WBINVD, new PageWbinvd(state, pages));
        table.accept(Leaf.PHYMEM_CACHE_WB, new CacheWb(state));
        // A module that cannot be configured for Dynamic PAMT does not have these leaves.
        if (state.profile().module().acceptsDynamicPamt()) {
            table.accept(Leaf.PHYMEM_PAMT_ADD, new PamtAdd(state, pages));
            table.accept(Leaf.PHYMEM_PAMT_REMOVE, new PamtRemove(state, pages));
        }
    }
}
