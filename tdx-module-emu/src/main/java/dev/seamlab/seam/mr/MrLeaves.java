// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.mr;

import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.core.LeafHandler;
import dev.seamlab.seam.core.ModuleState;
import dev.seamlab.seam.core.TdAccess;
import java.util.function.BiConsumer;

/** Rows of TDH.MR.* in the dispatch table. */
public final class MrLeaves {
    private MrLeaves() {}

    /** Adds the rows. */
    public static void register(
            ModuleState state, TdAccess tds, BiConsumer<Leaf, LeafHandler> table) {
        table.accept(Leaf.MR_EXTEND, new MrExtend(state, tds));
        table.accept(Leaf.MR_FINALIZE, new MrFinalize(state, tds));
    }
}
