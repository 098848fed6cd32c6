// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.mem;

import static dev.seamlab.seam.abi.StatusCode.OPERAND_BUSY;
import static dev.seamlab.seam.abi.StatusCode.OPERAND_INVALID;

import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.core.Call;
import dev.seamlab.seam.core.LeafHandler;
import dev.seamlab.seam.core.TdAccess;

/** TDH.MEM.SEPT.RD: an entry of any state in its architectural form (facts: section 1.6). */
final class SeptRd implements LeafHandler {
    private static final long READ_L2_ATTRIBUTES = 1;

    private final MemAccess access;
    private final TdAccess tds;

    SeptRd(MemAccess access, TdAccess tds) {
        this.access = access;
        this.tds = tds;
    }

    @Override
    public long execute(Call call) {
        long info = call.regs().rcx();
        long handle = call.regs().rdx();
        call.regs().rcx(0).rdx(0);
        boolean attributes = (handle & READ_L2_ATTRIBUTES) != 0;
        long status = tds.byTdr(call, handle & ~READ_L2_ATTRIBUTES, Operand.RDX, false);
        if (status == Status.SUCCESS) {
            status = tds.checkState(call, Leaf.MEM_SEPT_RD, true);
        }
        if (status != Status.SUCCESS) {
            return status;
        }
        if (attributes && !call.tdcs().config().isDebug()) {
            return OPERAND_INVALID.with(Operand.RDX);
        }
        status = access.walk(call, info, PageInfo.LEVEL_4K, MemAccess.ROOT, false);
        if (status != Status.SUCCESS) {
            return status;
        }
        if (!call.sept().lock()) {
            return MemAccess.refuse(call, OPERAND_BUSY.with(Operand.RCX));
        }
        if (attributes) {
            call.regs().r8(0);
        }
        MemAccess.describe(call);
        return Status.SUCCESS;
    }
}
