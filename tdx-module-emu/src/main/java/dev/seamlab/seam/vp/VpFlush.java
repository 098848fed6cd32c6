// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.vp;

import static dev.seamlab.seam.abi.StatusCode.TDCX_NUM_INCORRECT;
import static dev.seamlab.seam.abi.StatusCode.TD_KEYS_NOT_CONFIGURED;
import static dev.seamlab.seam.abi.StatusCode.VCPU_NOT_ASSOCIATED;

import dev.seamlab.seam.abi.LifecycleState;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.core.Call;
import dev.seamlab.seam.core.LeafHandler;
import dev.seamlab.seam.core.TdAccess;
import dev.seamlab.seam.td.Tdcs;
import java.util.Objects;

/**
 * TDH.VP.FLUSH: the calling CPU lets go of a vCPU (facts: section 1.5). Neither the FATAL flag nor
 * the operation state matters.
 */
final class VpFlush implements LeafHandler {
    private final TdAccess tds;
    private final VcpuAssociation association;

    VpFlush(TdAccess tds, VcpuAssociation association) {
        this.tds = tds;
        this.association = association;
    }

    @Override
    public long execute(Call call) {
        long status = tds.byTdvpr(call, call.regs().rcx(), Operand.RCX, true, false);
        if (status != Status.SUCCESS) {
            return status;
        }
        if (call.tdr().lifecycle() != LifecycleState.KEYS_CONFIGURED) {
            return TD_KEYS_NOT_CONFIGURED.word();
        }
        Tdcs tdcs = Objects.requireNonNull(call.tdr().tdcs(), "vCPU of a TD without TDCS");
        if (!association.hasAllPages(call.tdvps(), tdcs)) {
            return TDCX_NUM_INCORRECT.word();
        }
        return association.flush(call.tdvps(), tdcs, call.cpu())
                ? Status.SUCCESS
                : VCPU_NOT_ASSOCIATED.word();
    }
}
