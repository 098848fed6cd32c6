// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.mng;

import static dev.seamlab.seam.abi.StatusCode.OPERAND_INVALID;

import dev.seamlab.seam.abi.FieldId;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.core.Call;
import dev.seamlab.seam.core.LeafHandler;
import dev.seamlab.seam.core.TdAccess;
import dev.seamlab.seam.md.FieldLeaves;
import dev.seamlab.seam.md.TdView;

/** TDH.MNG.RD and TDH.MNG.WR: fields of TDR and TDCS (facts: sections 1.5 and 6.4). */
final class MngRdWr implements LeafHandler {
    private final TdAccess tds;
    private final Leaf leaf;

    MngRdWr(TdAccess tds, Leaf leaf) {
        this.tds = tds;
        this.leaf = leaf;
    }

    @Override
    public long execute(Call call) {
        long id = call.regs().rdx();
        long data = call.regs().r8();
        long mask = call.regs().r9();
        if (call.version() > 0) {
            call.regs().rdx(FieldId.NULL);
        }
        call.regs().r8(0);
        if (call.version() > 1) {
            return OPERAND_INVALID.with(Operand.RAX);
        }
        long status = tds.byTdr(call, call.regs().rcx(), Operand.RCX, false);
        if (status == Status.SUCCESS) {
            status = tds.checkState(call, leaf, true);
        }
        if (status != Status.SUCCESS) {
            return status;
        }
        TdView view = TdView.ofHost(call.tdr(), call.tdcs());
        return leaf == Leaf.MNG_WR
                ? FieldLeaves.write(view, id, data, mask, call.regs())
                : FieldLeaves.read(view, id, call.version() > 0, call.regs());
    }
}
