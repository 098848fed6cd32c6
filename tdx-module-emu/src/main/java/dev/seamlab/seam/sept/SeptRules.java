// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.sept;

import static dev.seamlab.seam.abi.SeptEntryState.*;

import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.SeptEntryState;
import java.util.EnumSet;
import java.util.Set;

/**
 * Which leaf accepts an entry in which state, and which states ask for TLB tracking. Source: facts,
 * module ABI section 8.3, column by column.
 */
public final class SeptRules {
    private static final Set<SeptEntryState> TRACKED =
            EnumSet.complementOf(
                    EnumSet.of(FREE, REMOVED, EXPORTED_BLOCKEDW, PENDING_EXPORTED_BLOCKEDW));

    /** By leaf: a bit for each state's code, in two words. */
    private static final long[] ALLOWED = new long[2 * Leaf.values().length];

    private static final int NEEDS_TRACKING = mask(TRACKED);
    private static final int BLOCKED_STATES =
            mask(EnumSet.of(NL_BLOCKED, BLOCKED, PENDING_BLOCKED));

    static {
        allow(Leaf.MEM_PAGE_ADD, EnumSet.of(FREE));
        allow(Leaf.MEM_SEPT_ADD, EnumSet.of(FREE, NL_MAPPED));
        allow(Leaf.MEM_PAGE_AUG, EnumSet.of(FREE, REMOVED));
        allow(
                Leaf.MEM_RANGE_BLOCK,
                EnumSet.of(NL_MAPPED, MAPPED, BLOCKEDW, PENDING, PENDING_BLOCKEDW));
        allow(Leaf.MEM_RANGE_UNBLOCK, EnumSet.of(NL_BLOCKED, BLOCKED, PENDING_BLOCKED));
        allow(
                Leaf.MEM_PAGE_REMOVE,
                EnumSet.of(MAPPED, BLOCKED, BLOCKEDW, PENDING, PENDING_BLOCKED, PENDING_BLOCKEDW));
        allow(Leaf.MEM_SEPT_REMOVE, EnumSet.of(NL_MAPPED, NL_BLOCKED));
        allow(Leaf.MEM_PAGE_DEMOTE, EnumSet.of(MAPPED, BLOCKED, PENDING, PENDING_BLOCKED));
        allow(Leaf.MEM_PAGE_PROMOTE, EnumSet.of(NL_MAPPED, NL_BLOCKED));
        allow(
                Leaf.MEM_PAGE_RELOCATE,
                EnumSet.complementOf(EnumSet.of(FREE, REMOVED, NL_MAPPED, NL_BLOCKED)));
        allow(Leaf.MR_EXTEND, EnumSet.of(MAPPED));
        allow(Leaf.MEM_SEPT_RD, EnumSet.allOf(SeptEntryState.class));
        allow(Leaf.MEM_RD, EnumSet.of(MAPPED, BLOCKEDW, EXPORTED_DIRTY, EXPORTED_BLOCKEDW));
        allow(Leaf.MEM_WR, EnumSet.of(MAPPED, EXPORTED_DIRTY));
    }

    private SeptRules() {}

    /** Whether a leaf works on an entry in this state. */
    public static boolean allows(Leaf leaf, SeptEntryState state) {
        return allows(leaf, state.code());
    }

    /** Whether a leaf works on this entry; on one in no state at all none does. */
    public static boolean allows(Leaf leaf, long entry) {
        return allows(leaf, SeptEntry.stateCode(entry));
    }

    private static boolean allows(Leaf leaf, int code) {
        return (ALLOWED[2 * leaf.ordinal() + (code >>> 6)] >>> code & 1) != 0;
    }

    /**
     * Whether a page behind an entry in this state may be cached by a TLB, so that it must be
     * blocked and tracked before it goes; if the TD's operation state demands tracking at all.
     */
    public static boolean needsTracking(SeptEntryState state) {
        return (NEEDS_TRACKING >>> state.ordinal() & 1) != 0;
    }

    /** Whether the state is one of the blocked ones. */
    public static boolean isBlocked(SeptEntryState state) {
        return (BLOCKED_STATES >>> state.ordinal() & 1) != 0;
    }

    /** State that BLOCK leads to. */
    public static SeptEntryState blocked(SeptEntryState state) {
        return switch (state) {
            case NL_MAPPED, NL_BLOCKED -> NL_BLOCKED;
            case MAPPED, BLOCKEDW, BLOCKED -> BLOCKED;
            case PENDING, PENDING_BLOCKEDW, PENDING_BLOCKED -> PENDING_BLOCKED;
            default -> throw new AssertionError("no blocked form of " + state);
        };
    }

    /** State without block: what UNBLOCK, DEMOTE and RELOCATE lead to. */
    public static SeptEntryState unblocked(SeptEntryState state) {
        return switch (state) {
            case NL_BLOCKED, NL_MAPPED -> NL_MAPPED;
            case BLOCKED, BLOCKEDW, MAPPED -> MAPPED;
            case PENDING_BLOCKED, PENDING_BLOCKEDW, PENDING -> PENDING;
            default -> throw new AssertionError("no unblocked form of " + state);
        };
    }

    private static void allow(Leaf leaf, Set<SeptEntryState> states) {
        for (SeptEntryState state : states) {
            ALLOWED[2 * leaf.ordinal() + (state.code() >>> 6)] |= 1L << state.code();
        }
    }

    private static int mask(Set<SeptEntryState> states) {
        int mask = 0;
        for (SeptEntryState state : states) {
            mask |= 1 << state.ordinal();
        }
        return mask;
    }
}
