// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.vp;

import static dev.seamlab.seam.abi.StatusCode.OPERAND_INVALID;
import static dev.seamlab.seam.abi.StatusCode.TDCX_NUM_INCORRECT;
import static dev.seamlab.seam.abi.StatusCode.VCPU_ASSOCIATED;
import static dev.seamlab.seam.abi.StatusCode.VCPU_STATE_INCORRECT;

import dev.seamlab.seam.abi.FieldId;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.VcpuState;
import dev.seamlab.seam.core.AddressRules;
import dev.seamlab.seam.core.Call;
import dev.seamlab.seam.core.LeafHandler;
import dev.seamlab.seam.core.TdAccess;
import dev.seamlab.seam.md.FieldLeaves;
import dev.seamlab.seam.md.VpView;

/**
 * TDH.VP.RD and TDH.VP.WR: fields of a vCPU. Both associate it with the calling CPU, also when the
 * field is refused afterwards (facts: sections 1.5 and 6.5).
 */
final class VpRdWr implements LeafHandler {
    private final TdAccess tds;
    private final VcpuAssociation association;
    private final AddressRules addresses;
    private final Leaf leaf;

    VpRdWr(TdAccess tds, VcpuAssociation association, AddressRules addresses, Leaf leaf) {
        this.tds = tds;
        this.association = association;
        this.addresses = addresses;
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
        long status = tds.byTdvpr(call, call.regs().rcx(), Operand.RCX, false, false);
        if (status == Status.SUCCESS) {
            status = tds.checkState(call, leaf, true);
        }
        if (status == Status.SUCCESS) {
            status = associate(call);
        }
        if (status != Status.SUCCESS) {
            return status;
        }
        VpView view = VpView.ofHost(call.tdvps(), call.tdcs(), addresses::isShared);
        return leaf == Leaf.VP_WR
                ? FieldLeaves.write(view, id, data, mask, call.regs())
                : FieldLeaves.read(view, id, call.version() > 0, call.regs());
    }

    private long associate(Call call) {
        if (!association.hasAllPages(call.tdvps(), call.tdcs())) {
            return TDCX_NUM_INCORRECT.word();
        }
        VcpuState state = call.tdvps().state();
        boolean usable =
                state == VcpuState.READY || (state == VcpuState.DISABLED && leaf == Leaf.VP_RD);
        if (!usable) {
            return VCPU_STATE_INCORRECT.withDetail(state.code());
        }
        return association.associate(call.tdvps(), call.tdcs(), call.cpu())
                ? Status.SUCCESS
                : VCPU_ASSOCIATED.word();
    }
}
