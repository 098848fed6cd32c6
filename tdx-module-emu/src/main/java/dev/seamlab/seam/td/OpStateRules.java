// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.td;

import static dev.seamlab.seam.abi.OpState.*;

import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.OpState;

/**
 * In which operation states of the TD a leaf may run, and in which TLB tracking is demanded.
 * Source: facts, module ABI section 7.2.
 */
public final class OpStateRules {
    private static final int[] LEGAL = new int[Leaf.values().length];
    private static final int TRACKING = mask(RUNNABLE, LIVE_EXPORT, LIVE_IMPORT);

    static {
        legal(mask(UNINITIALIZED), Leaf.MNG_ADDCX, Leaf.MNG_INIT);
        legal(mask(INITIALIZED), Leaf.MEM_PAGE_ADD, Leaf.MR_EXTEND, Leaf.MR_FINALIZE, Leaf.VP_INIT);
        legal(
                mask(
                        INITIALIZED,
                        RUNNABLE,
                        LIVE_EXPORT,
                        PAUSED_EXPORT,
                        POST_EXPORT,
                        MEMORY_IMPORT,
                        STATE_IMPORT,
                        POST_IMPORT,
                        LIVE_IMPORT),
                Leaf.MEM_TRACK);
        legal(
                mask(
                        INITIALIZED,
                        RUNNABLE,
                        LIVE_EXPORT,
                        PAUSED_EXPORT,
                        POST_EXPORT,
                        MEMORY_IMPORT,
                        STATE_IMPORT,
                        POST_IMPORT,
                        LIVE_IMPORT,
                        FAILED_IMPORT),
                Leaf.MNG_RD,
                Leaf.MEM_RD,
                Leaf.MEM_SEPT_RD,
                Leaf.VP_RD,
                Leaf.MEM_SEPT_REMOVE);
        legal(
                mask(
                        INITIALIZED,
                        RUNNABLE,
                        LIVE_EXPORT,
                        PAUSED_EXPORT,
                        POST_EXPORT,
                        POST_IMPORT,
                        LIVE_IMPORT),
                Leaf.MEM_PAGE_RELOCATE,
                Leaf.MEM_RANGE_BLOCK,
                Leaf.MEM_PAGE_DEMOTE,
                Leaf.MEM_PAGE_PROMOTE,
                Leaf.MEM_RANGE_UNBLOCK);
        legal(
                mask(
                        INITIALIZED,
                        RUNNABLE,
                        LIVE_EXPORT,
                        PAUSED_EXPORT,
                        POST_EXPORT,
                        POST_IMPORT,
                        LIVE_IMPORT,
                        FAILED_IMPORT),
                Leaf.MEM_PAGE_REMOVE);
        legal(
                mask(
                        INITIALIZED,
                        RUNNABLE,
                        LIVE_EXPORT,
                        MEMORY_IMPORT,
                        STATE_IMPORT,
                        POST_IMPORT,
                        LIVE_IMPORT),
                Leaf.MEM_SEPT_ADD);
        legal(
                mask(
                        INITIALIZED,
                        RUNNABLE,
                        LIVE_EXPORT,
                        MEMORY_IMPORT,
                        STATE_IMPORT,
                        POST_IMPORT,
                        LIVE_IMPORT,
                        FAILED_IMPORT),
                Leaf.MNG_WR,
                Leaf.MEM_WR,
                Leaf.VP_WR);
        legal(mask(INITIALIZED, RUNNABLE, LIVE_EXPORT, LIVE_IMPORT), Leaf.MEM_PAGE_AUG);
        legal(mask(INITIALIZED, STATE_IMPORT), Leaf.VP_ADDCX, Leaf.VP_CREATE);
        legal(mask(RUNNABLE, LIVE_EXPORT, LIVE_IMPORT), Leaf.VP_ENTER);
        legal(mask(OpState.values()), Leaf.VP_FLUSH);
    }

    private OpStateRules() {}

    /** Whether a leaf may run on a TD in this state. */
    public static boolean allows(Leaf leaf, OpState state) {
        return (LEGAL[leaf.ordinal()] >>> state.ordinal() & 1) != 0;
    }

    /** Whether a leaf may run on this TD now. */
    public static boolean allows(Leaf leaf, Tdcs td) {
        return td.isIn(LEGAL[leaf.ordinal()]);
    }

    /** Whether pages must be blocked and tracked before they go. */
    public static boolean demandsTracking(OpState state) {
        return (TRACKING >>> state.ordinal() & 1) != 0;
    }

    private static void legal(int states, Leaf... leaves) {
        for (Leaf leaf : leaves) {
            LEGAL[leaf.ordinal()] = states;
        }
    }

    private static int mask(OpState... states) {
        int mask = 0;
        for (OpState state : states) {
            mask |= 1 << state.ordinal();
        }
        return mask;
    }
}
