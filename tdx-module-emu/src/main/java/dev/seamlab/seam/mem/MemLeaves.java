// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.mem;

import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.core.LeafHandler;
import dev.seamlab.seam.core.ModuleState;
import dev.seamlab.seam.core.PageAccess;
import dev.seamlab.seam.core.TdAccess;
import java.util.function.BiConsumer;

/** Rows of TDH.MEM.* in the dispatch table. */
public final class MemLeaves {
    private MemLeaves() {}

    /** Adds the rows. */
    public static void register(
            ModuleState state,
            PageAccess pages,
            TdAccess tds,
            BiConsumer<Leaf, LeafHandler> table) {
        MemAccess access = new MemAccess(state, tds);
        table.accept(Leaf.MEM_SEPT_ADD, new SeptAdd(access, pages));
        table.accept(Leaf.MEM_SEPT_REMOVE, new SeptRemove(access));
        table.accept(Leaf.MEM_SEPT_RD, new SeptRd(access, tds));
        table.accept(Leaf.MEM_PAGE_ADD, new PageAdd(state, pages, tds));
        table.accept(Leaf.MEM_PAGE_AUG, new PageAug(access, pages));
        table.accept(Leaf.MEM_PAGE_REMOVE, new PageRemove(access));
        table.accept(Leaf.MEM_PAGE_RELOCATE, new PageRelocate(state, access, pages));
        table.accept(Leaf.MEM_PAGE_DEMOTE, new PageDemote(state, access, pages));
        table.accept(Leaf.MEM_PAGE_PROMOTE, new PagePromote(state, access));
        table.accept(Leaf.MEM_RANGE_BLOCK, new RangeBlock(access));
        table.accept(Leaf.MEM_RANGE_UNBLOCK, new RangeUnblock(access));
        table.accept(Leaf.MEM_TRACK, new Track(tds));
        table.accept(Leaf.MEM_RD, new DebugAccess(state, tds, Leaf.MEM_RD));
        table.accept(Leaf.MEM_WR, new DebugAccess(state, tds, Leaf.MEM_WR));
    }
}
