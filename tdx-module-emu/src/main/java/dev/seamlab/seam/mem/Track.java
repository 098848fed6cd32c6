// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.mem;

import static dev.seamlab.seam.abi.StatusCode.OPERAND_BUSY;
import static dev.seamlab.seam.abi.StatusCode.PREVIOUS_TLB_EPOCH_BUSY;

import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.core.Call;
import dev.seamlab.seam.core.LeafHandler;
import dev.seamlab.seam.core.TdAccess;
import dev.seamlab.seam.td.TlbEpoch;

/** TDH.MEM.TRACK: starts the next TLB epoch of a TD (facts: section 8.4). */
final class Track implements LeafHandler {
    private final TdAccess tds;

    Track(TdAccess tds) {
        this.tds = tds;
    }

    @Override
    public long execute(Call call) {
        long status = tds.byTdr(call, call.regs().rcx(), Operand.RCX, false);
        if (status == Status.SUCCESS) {
            status = tds.checkState(call, Leaf.MEM_TRACK, true);
        }
        if (status != Status.SUCCESS) {
            return status;
        }
        TlbEpoch epoch = call.tdcs().epoch();
        if (!call.locks().exclusive(epoch.words(), TlbEpoch.LOCK)) {
            return OPERAND_BUSY.with(Operand.TD_EPOCH);
        }
        return epoch.tryAdvance() ? Status.SUCCESS : PREVIOUS_TLB_EPOCH_BUSY.word();
    }
}
