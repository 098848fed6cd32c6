// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.vp;

import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.core.LeafHandler;
import dev.seamlab.seam.core.ModuleState;
import dev.seamlab.seam.core.PageAccess;
import dev.seamlab.seam.core.TdAccess;
import dev.seamlab.seam.tdg.TdcallTable;
import java.util.function.BiConsumer;

/** Rows of TDH.VP.* in the dispatch table. */
public final class VpLeaves {
    private VpLeaves() {}

    /** Adds the rows. */
    public static void register(
            ModuleState state,
            PageAccess pages,
            TdAccess tds,
            BiConsumer<Leaf, LeafHandler> table) {
        VcpuAssociation association = new VcpuAssociation(state);
        table.accept(Leaf.VP_CREATE, new VpCreate(state, pages, tds));
        table.accept(Leaf.VP_ADDCX, new VpAddCx(state, pages, tds));
        table.accept(Leaf.VP_INIT, new VpInit(tds, association));
        table.accept(Leaf.VP_FLUSH, new VpFlush(tds, association));
        table.accept(Leaf.VP_RD, new VpRdWr(tds, association, state.addresses(), Leaf.VP_RD));
        table.accept(Leaf.VP_WR, new VpRdWr(tds, association, state.addresses(), Leaf.VP_WR));
        table.accept(Leaf.VP_ENTER, new VpEnter(state, tds, association, new TdcallTable(state)));
    }
}
