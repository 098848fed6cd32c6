// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.mng;

import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.core.LeafHandler;
import dev.seamlab.seam.core.ModuleState;
import dev.seamlab.seam.core.PageAccess;
import dev.seamlab.seam.core.TdAccess;
import java.util.function.BiConsumer;

/** Rows of TDH.MNG.* in the dispatch table. */
public final class MngLeaves {
    private MngLeaves() {}

    /** Adds the rows. */
    public static void register(
            ModuleState state,
            PageAccess pages,
            TdAccess tds,
            BiConsumer<Leaf, LeafHandler> table) {
        table.accept(Leaf.MNG_CREATE, new MngCreate(state, pages));
        table.accept(Leaf.MNG_KEY_CONFIG, new MngKeyConfig(state, tds));
        table.accept(Leaf.MNG_ADDCX, new MngAddCx(state, pages, tds));
        table.accept(Leaf.MNG_INIT, new MngInit(state, tds));
        table.accept(Leaf.MNG_VPFLUSHDONE, new MngVpFlushDone(state, tds));
        table.accept(Leaf.MNG_KEY_FREEID, new MngKeyFreeId(state, tds));
        table.accept(Leaf.MNG_RD, new MngRdWr(tds, Leaf.MNG_RD));
        table.accept(Leaf.MNG_WR, new MngRdWr(tds, Leaf.MNG_WR));
        // Kept for old hosts: succeeds and does nothing.
        table.accept(Leaf.MNG_KEY_RECLAIMID, call -> Status.SUCCESS);
    }
}
