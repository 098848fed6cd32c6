// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.mem;

import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.SeptEntryState;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.core.Call;
import dev.seamlab.seam.core.LeafHandler;
import dev.seamlab.seam.sept.SeptCursor;
import dev.seamlab.seam.sept.SeptEntry;
import dev.seamlab.seam.sept.SeptRules;

/** TDH.MEM.RANGE.UNBLOCK: undoes a block, once tracking is complete (facts: section 1.6). */
final class RangeUnblock implements LeafHandler {
    private final MemAccess access;

    RangeUnblock(MemAccess access) {
        this.access = access;
    }

    @Override
    public long execute(Call call) {
        long tdr = call.regs().rdx();
        long status =
                access.open(
                        call, Leaf.MEM_RANGE_UNBLOCK, tdr, PageInfo.LEVEL_4K, MemAccess.ROOT, true);
        if (status != Status.SUCCESS) {
            return status;
        }
        access.locatePageBehind(call, call.page());
        status = access.checkTracked(call, call.page());
        if (status != Status.SUCCESS) {
            return status;
        }
        SeptCursor at = call.sept();
        SeptEntryState open = SeptRules.unblocked(SeptEntry.state(at.entry()));
        at.commit(SeptEntry.withState(at.entry(), open));
        return Status.SUCCESS;
    }
}
