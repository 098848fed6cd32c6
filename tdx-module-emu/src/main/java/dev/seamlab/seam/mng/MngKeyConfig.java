// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.mng;

import static dev.seamlab.seam.abi.StatusCode.KEY_CONFIGURED;
import static dev.seamlab.seam.abi.StatusCode.LIFECYCLE_STATE_INCORRECT;
import static dev.seamlab.seam.abi.StatusCode.OPERAND_BUSY;
import static dev.seamlab.seam.abi.StatusCode.TD_FATAL;

import dev.seamlab.seam.abi.LifecycleState;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.core.Call;
import dev.seamlab.seam.core.LeafHandler;
import dev.seamlab.seam.core.ModuleState;
import dev.seamlab.seam.core.TdAccess;
import dev.seamlab.seam.td.Tdr;

/** TDH.MNG.KEY.CONFIG, on one CPU of each package (facts: section 1.5). */
final class MngKeyConfig implements LeafHandler {
    private final ModuleState state;
    private final TdAccess tds;

    MngKeyConfig(ModuleState state, TdAccess tds) {
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
        if (tdr.isFatal()) {
            return TD_FATAL.word();
        }
        if (tdr.lifecycle() != LifecycleState.HKID_ASSIGNED) {
            return LIFECYCLE_STATE_INCORRECT.word();
        }
        int pkg = call.cpu().packageIndex();
        if ((tdr.configuredPackages() >>> pkg & 1) != 0) {
            return KEY_CONFIGURED.word();
        }
        if (!call.locks().exclusive(state.locks(), ModuleState.KEY_PORT_LOCK + pkg)) {
            return OPERAND_BUSY.with(Operand.KET);
        }
        tdr.configurePackage(pkg);
        if (tdr.configuredPackages() == state.allPackages()) {
            tdr.lifecycle(LifecycleState.KEYS_CONFIGURED);
        }
        return Status.SUCCESS;
    }
}
