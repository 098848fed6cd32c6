// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.sys;

import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.core.LeafHandler;
import dev.seamlab.seam.core.ModuleState;
import dev.seamlab.seam.md.SysFields;
import java.util.function.BiConsumer;

/** Rows of TDH.SYS.* in the dispatch table. */
public final class SysLeaves {
    private SysLeaves() {}

    /** Adds the rows. */
    public static void register(ModuleState state, BiConsumer<Leaf, LeafHandler> table) {
        table.accept(Leaf.SYS_INIT, new SysInit(state));
        table.accept(Leaf.SYS_LP_INIT, new SysLpInit(state));
        table.accept(Leaf.SYS_CONFIG, new SysConfig(state));
        table.accept(Leaf.SYS_KEY_CONFIG, new SysKeyConfig(state));
        table.accept(Leaf.SYS_TDMR_INIT, new SysTdmrInit(state));
        SysFields fields = new SysFields(state.profile());
        table.accept(Leaf.SYS_RD, new SysRd(state, fields));
        table.accept(Leaf.SYS_RDALL, new SysRdAll(state, fields));
        table.accept(Leaf.SYS_INFO, new SysInfo(state));
        table.accept(Leaf.SYS_SHUTDOWN, new SysShutdown(state));
        // Deprecated: always succeeds and does nothing.
        table.accept(Leaf.SYS_LP_SHUTDOWN, call -> Status.SUCCESS);
    }
}
