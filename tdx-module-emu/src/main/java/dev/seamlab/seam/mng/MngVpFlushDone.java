// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.mng;

import static dev.seamlab.seam.abi.StatusCode.FLUSHVP_NOT_DONE;
import static dev.seamlab.seam.abi.StatusCode.LIFECYCLE_STATE_INCORRECT;
import static dev.seamlab.seam.abi.StatusCode.OPERAND_BUSY;

import dev.seamlab.seam.abi.LifecycleState;
import dev.seamlab.seam.abi.OpState;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.core.Call;
import dev.seamlab.seam.core.LeafHandler;
import dev.seamlab.seam.core.ModuleState;
import dev.seamlab.seam.core.TdAccess;
import dev.seamlab.seam.key.KeyOwnership;
import dev.seamlab.seam.td.Tdcs;
import dev.seamlab.seam.td.Tdr;

/**
 * TDH.MNG.VPFLUSHDONE: no vCPU is associated any more, the key may go (facts: sections 1.5 and
 * 7.5). Works on a TD in the FATAL state, too.
 */
final class MngVpFlushDone implements LeafHandler {
    private final ModuleState state;
    private final TdAccess tds;

    MngVpFlushDone(ModuleState state, TdAccess tds) {
        this.state = state;
        this.tds = tds;
    }

    @Override
    public long execute(Call call) {
        long status = tds.byTdr(call, call.regs().rcx(), Operand.RCX, true);
        if (status != Status.SUCCESS) {
            return status;
        }
        KeyOwnership keys = state.keys();
        if (!call.locks().exclusive(keys.words(), KeyOwnership.LOCK)) {
            return OPERAND_BUSY.with(Operand.KOT);
        }
        Tdr tdr = call.tdr();
        if (tdr.lifecycle() != LifecycleState.HKID_ASSIGNED
                && tdr.lifecycle() != LifecycleState.KEYS_CONFIGURED) {
            return LIFECYCLE_STATE_INCORRECT.word();
        }
        Tdcs tdcs = tdr.tdcs();
        if (tdcs != null
                && tdcs.opState() != OpState.UNINITIALIZED
                && tdcs.associatedVcpus() != 0) {
            return FLUSHVP_NOT_DONE.word();
        }
        if (tdcs != null && tdcs.opState() == OpState.INITIALIZED) {
            state.addTdsBeingBuilt(-1);
        }
        keys.flushed(tdr.hkid(), state.allPackages());
        tdr.lifecycle(LifecycleState.BLOCKED);
        return Status.SUCCESS;
    }
}
