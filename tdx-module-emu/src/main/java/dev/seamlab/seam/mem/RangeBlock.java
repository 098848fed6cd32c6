// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.mem;

import static dev.seamlab.seam.abi.StatusCode.EPT_ENTRY_STATE_INCORRECT;
import static dev.seamlab.seam.abi.StatusCode.GPA_RANGE_ALREADY_BLOCKED;

import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.SeptEntryState;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.core.Call;
import dev.seamlab.seam.core.LeafHandler;
import dev.seamlab.seam.sept.SeptCursor;
import dev.seamlab.seam.sept.SeptEntry;
import dev.seamlab.seam.sept.SeptRules;

/**
 * TDH.MEM.RANGE.BLOCK: new translations of a range fail, and the epoch of the block is noted
 * (facts: sections 1.6 and 8.4).
 */
final class RangeBlock implements LeafHandler {
    private final MemAccess access;

    RangeBlock(MemAccess access) {
        this.access = access;
    }

    @Override
    public long execute(Call call) {
        long tdr = call.regs().rdx();
        long status =
                access.open(
                        call, Leaf.MEM_RANGE_BLOCK, tdr, PageInfo.LEVEL_4K, MemAccess.ROOT, true);
        if (status != Status.SUCCESS) {
            return alreadyBlocked(call, status);
        }
        SeptCursor at = call.sept();
        SeptEntryState blocked = SeptRules.blocked(SeptEntry.state(at.entry()));
        access.locatePageBehind(call, call.page());
        call.page().bepoch(call.tdcs().epoch().epoch());
        // An ACCEPT that was interrupted starts over.
        long entry = SeptEntry.withoutProgress(at.entry(), at.level());
        at.commit(SeptEntry.withState(entry, blocked));
        return Status.SUCCESS;
    }

    /** An entry that is blocked already gets an answer of its own. */
    private static long alreadyBlocked(Call call, long status) {
        boolean blocked =
                EPT_ENTRY_STATE_INCORRECT.matches(status)
                        && SeptRules.isBlocked(SeptEntry.state(call.sept().entry()));
        return blocked ? GPA_RANGE_ALREADY_BLOCKED.with(Operand.RCX) : status;
    }
}
