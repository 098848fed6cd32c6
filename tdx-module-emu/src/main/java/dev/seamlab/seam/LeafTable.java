// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam;

import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.core.Call;
import dev.seamlab.seam.core.LeafHandler;
import dev.seamlab.seam.core.ModuleState;
import dev.seamlab.seam.core.PageAccess;
import dev.seamlab.seam.core.TdAccess;
import dev.seamlab.seam.mem.MemLeaves;
import dev.seamlab.seam.mng.MngLeaves;
import dev.seamlab.seam.mr.MrLeaves;
import dev.seamlab.seam.phymem.PhymemLeaves;
import dev.seamlab.seam.sys.SysLeaves;
import dev.seamlab.seam.vp.VpLeaves;
import java.util.EnumSet;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Dispatch: leaf to handler. A leaf without a row is unknown to this module, as migration and
 * service-TD leaves are to a module built without them. In which operation states of a TD a leaf is
 * legal stands in {@link dev.seamlab.seam.td.OpStateRules}, which S-EPT states it accepts in {@link
 * dev.seamlab.seam.sept.SeptRules}.
 */
final class LeafTable {
    /** Leaves that run before the module is ready (facts: section 1.1). */
    private static final Set<Leaf> BEFORE_READY =
            EnumSet.of(
                    Leaf.SYS_INFO,
                    Leaf.SYS_RD,
                    Leaf.SYS_RDALL,
                    Leaf.SYS_INIT,
                    Leaf.SYS_LP_INIT,
                    Leaf.SYS_CONFIG,
                    Leaf.SYS_KEY_CONFIG,
                    Leaf.SYS_LP_SHUTDOWN,
                    Leaf.SYS_UPDATE);

    private final @Nullable LeafHandler[] handlers =
            new @Nullable LeafHandler[Leaf.values().length];
    private final LeafHandler enter;
    private final LeafHandler aug;

    LeafTable(ModuleState state) {
        PageAccess pages = new PageAccess(state);
        TdAccess tds = new TdAccess(state, pages);
        SysLeaves.register(state, this::row);
        MngLeaves.register(state, pages, tds, this::row);
        MemLeaves.register(state, pages, tds, this::row);
        MrLeaves.register(state, tds, this::row);
        VpLeaves.register(state, pages, tds, this::row);
        PhymemLeaves.register(state, pages, tds, this::row);
        enter = Objects.requireNonNull(handler(Leaf.VP_ENTER));
        aug = Objects.requireNonNull(handler(Leaf.MEM_PAGE_AUG));
    }

    /** What runs a leaf, or null where this module does not know it. */
    @Nullable LeafHandler handler(Leaf leaf) {
        return handlers[leaf.ordinal()];
    }

    /**
     * Runs a leaf. The two that every fault needs have call sites of their own: the common one sees
     * so many handlers that the compiler cannot look through it.
     */
    @SuppressWarnings("ReferenceEquality") // one handler per leaf
    long execute(LeafHandler handler, Call call) {
        if (handler == enter) {
            return enter.execute(call);
        }
        if (handler == aug) {
            return aug.execute(call);
        }
        return handler.execute(call);
    }

    /** Whether a leaf runs before the module is ready. */
    static boolean runsBeforeReady(Leaf leaf) {
        return BEFORE_READY.contains(leaf);
    }

    private void row(Leaf leaf, LeafHandler handler) {
        assert handlers[leaf.ordinal()] == null : "two rows for " + leaf;
        handlers[leaf.ordinal()] = handler;
    }
}
