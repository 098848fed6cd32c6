// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.vp;

import static dev.seamlab.seam.abi.StatusCode.METADATA_FIELD_ID_INCORRECT;
import static dev.seamlab.seam.abi.StatusCode.METADATA_FIELD_NOT_READABLE;
import static dev.seamlab.seam.abi.StatusCode.METADATA_FIRST_FIELD_ID_IN_CONTEXT;
import static dev.seamlab.seam.abi.StatusCode.OPERAND_INVALID;
import static dev.seamlab.seam.abi.StatusCode.TDCX_NUM_INCORRECT;
import static dev.seamlab.seam.abi.StatusCode.VCPU_ASSOCIATED;
import static dev.seamlab.seam.abi.StatusCode.VCPU_STATE_INCORRECT;

import dev.seamlab.seam.abi.FieldId;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.VcpuState;
import dev.seamlab.seam.core.Call;
import dev.seamlab.seam.core.LeafHandler;
import dev.seamlab.seam.core.TdAccess;
import dev.seamlab.seam.md.FieldAccess;
import dev.seamlab.seam.md.FieldCatalog;
import dev.seamlab.seam.md.FieldSpec;
import dev.seamlab.seam.md.FieldWrite;
import dev.seamlab.seam.md.VpFields;

/**
 * TDH.VP.RD and TDH.VP.WR: fields of a vCPU. Both associate it with the calling CPU, also when the
 * field is refused afterwards (facts: sections 1.5 and 6.5).
 */
final class VpRdWr implements LeafHandler {
    private final TdAccess tds;
    private final VcpuAssociation association;
    private final Leaf leaf;

    VpRdWr(TdAccess tds, VcpuAssociation association, Leaf leaf) {
        this.tds = tds;
        this.association = association;
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
        FieldCatalog catalog = VpFields.catalog();
        FieldAccess access =
                call.tdcs().config().isDebug() ? FieldAccess.HOST_DEBUG : FieldAccess.HOST;
        if (call.version() > 0 && FieldId.isNull(id)) {
            call.regs().rdx(catalog.first(access));
            return METADATA_FIRST_FIELD_ID_IN_CONTEXT.word();
        }
        int row = FieldId.isSingleElement(id) ? catalog.find(id) : FieldCatalog.NONE;
        if (row == FieldCatalog.NONE) {
            return METADATA_FIELD_ID_INCORRECT.word();
        }
        int element = catalog.element(row, id);
        FieldSpec spec = catalog.get(row);
        long current = VpFields.value(row, call.tdvps(), element);
        if (leaf == Leaf.VP_WR) {
            status = FieldWrite.check(spec, access, current, data, mask);
            if (status != Status.SUCCESS) {
                return status;
            }
            long value = FieldWrite.merge(spec, access, current, data, mask);
            VpFields.write(row, call.tdvps(), element, value);
        } else if (spec.readable(access) == 0) {
            return METADATA_FIELD_NOT_READABLE.word();
        } else if (call.version() > 0) {
            call.regs().rdx(catalog.next(row, element, access));
        }
        call.regs().r8(current & spec.readable(access));
        return Status.SUCCESS;
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
