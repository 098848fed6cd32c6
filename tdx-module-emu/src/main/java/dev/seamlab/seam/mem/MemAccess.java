// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.mem;

import static dev.seamlab.seam.abi.StatusCode.EPT_ENTRY_STATE_INCORRECT;
import static dev.seamlab.seam.abi.StatusCode.EPT_WALK_FAILED;
import static dev.seamlab.seam.abi.StatusCode.GPA_RANGE_NOT_BLOCKED;
import static dev.seamlab.seam.abi.StatusCode.INTERRUPTED_BUSY;
import static dev.seamlab.seam.abi.StatusCode.INTERRUPTED_RESTARTABLE;
import static dev.seamlab.seam.abi.StatusCode.OPERAND_BUSY;
import static dev.seamlab.seam.abi.StatusCode.OPERAND_INVALID;
import static dev.seamlab.seam.abi.StatusCode.TLB_TRACKING_NOT_DONE;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.sched.Cells;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.SeptEntryState;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.core.Call;
import dev.seamlab.seam.core.ModuleState;
import dev.seamlab.seam.core.TdAccess;
import dev.seamlab.seam.lock.SharexLock;
import dev.seamlab.seam.pamt.PageRef;
import dev.seamlab.seam.sept.SeptCursor;
import dev.seamlab.seam.sept.SeptEntry;
import dev.seamlab.seam.sept.SeptRules;
import dev.seamlab.seam.td.OpStateRules;
import dev.seamlab.seam.td.Tdcs;

/**
 * The way that all TDH.MEM.* leaves go to an entry of the Secure EPT: TD, operation state, page
 * info, guest address, tree lock, walk, entry lock, entry state (facts: module ABI section 1.6,
 * "common order").
 */
final class MemAccess {
    /** "Up to the root", where a leaf takes any level. */
    static final int ROOT = -1;

    private final ModuleState state;
    private final TdAccess tds;

    MemAccess(ModuleState state, TdAccess tds) {
        this.state = state;
        this.tds = tds;
    }

    /**
     * Opens the entry that RCX names in the TD of {@code tdr}; RCX and RDX are zeroed first.
     *
     * @param lowest lowest level the leaf takes
     * @param highest highest level the leaf takes, or {@link #ROOT}
     * @param treeAlone whether the leaf needs the tree for itself
     */
    long open(Call call, Leaf leaf, long tdr, int lowest, int highest, boolean treeAlone) {
        long info = call.regs().rcx();
        call.regs().rcx(0).rdx(0);
        boolean treeHeld = !treeAlone && tds.again(call, leaf, tdr);
        long status = Status.SUCCESS;
        if (!treeHeld) {
            status = tds.byTdr(call, tdr, Operand.RDX, false);
            if (status == Status.SUCCESS) {
                status = tds.checkState(call, leaf, true);
            }
            if (status != Status.SUCCESS) {
                return status;
            }
        }
        status = walk(call, info, lowest, highest, treeAlone, treeHeld);
        if (status != Status.SUCCESS) {
            return status;
        }
        SeptCursor at = call.sept();
        if (!at.lock()) {
            return refuse(call, OPERAND_BUSY.with(Operand.RCX));
        }
        if (!SeptRules.allows(leaf, at.entry())) {
            return refuse(call, EPT_ENTRY_STATE_INCORRECT.with(Operand.RCX));
        }
        return Status.SUCCESS;
    }

    /** Page info, guest address, tree lock, walk; for a TD whose state was checked. */
    long walk(Call call, long info, int lowest, int highest, boolean treeAlone) {
        return walk(call, info, lowest, highest, treeAlone, false);
    }

    private long walk(
            Call call, long info, int lowest, int highest, boolean treeAlone, boolean treeHeld) {
        Tdcs tdcs = call.tdcs();
        if (!isPageInfoValid(info, lowest, highest == ROOT ? rootLevel(tdcs) : highest)) {
            return OPERAND_INVALID.with(Operand.RCX);
        }
        long gpa = PageInfo.address(info);
        if (!tdcs.config().isPrivate(gpa)) {
            return OPERAND_INVALID.with(Operand.RCX);
        }
        if (!treeHeld && !call.locks().take(tdcs.locks(), Tdcs.SEPT_TREE_LOCK, treeAlone)) {
            return OPERAND_BUSY.with(Operand.SEPT_TREE);
        }
        if (!call.sept().walk(tdcs.septRoot(), gpa, PageInfo.level(info))) {
            return refuse(call, EPT_WALK_FAILED.with(Operand.RCX));
        }
        return Status.SUCCESS;
    }

    /** Format of a guest page operand, and whether the leaf takes its level. */
    static boolean isPageInfoValid(long info, int lowest, int highest) {
        int level = PageInfo.level(info);
        return PageInfo.reservedBitsAreZero(info)
                && level >= lowest
                && level <= highest
                && Addresses.isAligned(PageInfo.address(info), PageInfo.sizeOf(level));
    }

    static int rootLevel(Tdcs tdcs) {
        return tdcs.config().septRootLevel();
    }

    /** Refuses with the entry in RCX and RDX. */
    static long refuse(Call call, long status) {
        describe(call);
        return status;
    }

    /** Puts the entry into RCX and RDX. */
    static void describe(Call call) {
        SeptCursor at = call.sept();
        long entry = at.entry();
        entry = SeptEntry.withoutProgress(entry, at.level());
        call.regs().rcx(SeptEntry.architecturalView(entry));
        call.regs().rdx(SeptEntry.architecturalInfo(entry, at.level()));
    }

    /** Locks the metadata of the page behind the entry, on its own; BUSY without details. */
    long lockPageBehind(Call call, PageRef to, int pageLevel) {
        SeptCursor at = call.sept();
        long hpa = SeptEntry.leafHpa(at.entry(), pageLevel);
        boolean got = state.pamt().lockImplicit(call.locks(), to, hpa, pageLevel, true);
        return got ? Status.SUCCESS : OPERAND_BUSY.with(Operand.RCX);
    }

    /** Points at the metadata of the page behind the entry without a lock. */
    void locatePageBehind(Call call, PageRef to) {
        SeptCursor at = call.sept();
        boolean leaf = SeptEntry.isLeaf(at.entry());
        int level = leaf ? at.level() : PageInfo.LEVEL_4K;
        state.pamt().locate(to, SeptEntry.leafHpa(at.entry(), level), level);
    }

    /** Whether translations may still be in some TLB, of a page that is about to go. */
    long checkBlockedAndTracked(Call call, PageRef page) {
        SeptEntryState entry = SeptEntry.state(call.sept().entry());
        if (!demandsTracking(call, entry)) {
            return Status.SUCCESS;
        }
        if (!SeptRules.isBlocked(entry)) {
            return refuse(call, GPA_RANGE_NOT_BLOCKED.with(Operand.RCX));
        }
        return checkTracked(call, page);
    }

    /** Whether tracking is complete since the block; without details in the registers. */
    long checkTracked(Call call, PageRef page) {
        SeptEntryState entry = SeptEntry.state(call.sept().entry());
        if (demandsTracking(call, entry) && !call.tdcs().epoch().isTracked(page.bepoch())) {
            return TLB_TRACKING_NOT_DONE.with(Operand.RCX);
        }
        return Status.SUCCESS;
    }

    /**
     * Whether DEMOTE or PROMOTE has to stop before it commits: a pending interrupt, or a host call
     * that waits for the tree. RCX and RDX get their operands back, so that the call can be
     * repeated as it is.
     */
    long checkInterrupted(Call call, Leaf leaf, long rcx, long rdx) {
        long status = Status.SUCCESS;
        if (state.interrupts().isPending(call.cpu(), leaf)) {
            status = INTERRUPTED_RESTARTABLE.word();
        } else if (state.interrupts().yieldsToHostPriority()
                && SharexLock.isWantedByHost(
                        Cells.acquire(call.tdcs().locks(), Tdcs.SEPT_TREE_LOCK))) {
            status = INTERRUPTED_BUSY.word();
        }
        if (status != Status.SUCCESS) {
            call.regs().rcx(rcx).rdx(rdx);
        }
        return status;
    }

    private static boolean demandsTracking(Call call, SeptEntryState entry) {
        return SeptRules.needsTracking(entry)
                && OpStateRules.demandsTracking(call.tdcs().opState());
    }
}
