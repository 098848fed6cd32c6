// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.mng;

import static dev.seamlab.seam.abi.StatusCode.LIFECYCLE_STATE_INCORRECT;
import static dev.seamlab.seam.abi.StatusCode.OPERAND_BUSY;
import static dev.seamlab.seam.abi.StatusCode.WBCACHE_NOT_COMPLETE;

import dev.seamlab.seam.abi.LifecycleState;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.core.Call;
import dev.seamlab.seam.core.LeafHandler;
import dev.seamlab.seam.core.ModuleState;
import dev.seamlab.seam.core.TdAccess;
import dev.seamlab.seam.key.KeyOwnership;
import dev.seamlab.seam.td.Tdr;

/** TDH.MNG.KEY.FREEID: every package wrote its caches back, the KeyID is free (section 1.5). */
final class MngKeyFreeId implements LeafHandler {
    private final ModuleState state;
    private final TdAccess tds;

    MngKeyFreeId(ModuleState state, TdAccess tds) {
        this.state = state;
        this.tds = tds;
    }

    @Override
    public long execute(Call call) {
        long status = tds.byTdr(call, call.regs().rcx(), Operand.RCX, true);
        if (status != Status.SUCCESS) {
            return status;
        }
        Tdr tdr = call.tdr();
        if (tdr.lifecycle() != LifecycleState.BLOCKED) {
            return LIFECYCLE_STATE_INCORRECT.word();
        }
        KeyOwnership keys = state.keys();
        if (!call.locks().exclusive(keys.words(), KeyOwnership.LOCK)) {
            return OPERAND_BUSY.with(Operand.KOT);
        }
        if (keys.pendingWriteBack(tdr.hkid()) != 0) {
            return WBCACHE_NOT_COMPLETE.word();
        }
        keys.state(tdr.hkid(), KeyOwnership.State.FREE);
        tdr.lifecycle(LifecycleState.TEARDOWN);
        return Status.SUCCESS;
    }
}
