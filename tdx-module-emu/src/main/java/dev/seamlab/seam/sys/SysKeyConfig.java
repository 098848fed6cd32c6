// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.sys;

import static dev.seamlab.seam.abi.StatusCode.KEY_CONFIGURED;
import static dev.seamlab.seam.abi.StatusCode.OPERAND_BUSY;
import static dev.seamlab.seam.abi.StatusCode.SYS_BUSY;
import static dev.seamlab.seam.abi.StatusCode.SYS_KEY_CONFIG_NOT_PENDING;

import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.core.Call;
import dev.seamlab.seam.core.LeafHandler;
import dev.seamlab.seam.core.ModuleState;
import dev.seamlab.seam.core.SysState;

/** TDH.SYS.KEY.CONFIG, once per package; the last makes the module ready (facts: section 1.4). */
final class SysKeyConfig implements LeafHandler {
    private final ModuleState state;

    SysKeyConfig(ModuleState state) {
        this.state = state;
    }

    @Override
    public long execute(Call call) {
        if (!call.locks().exclusive(state.locks(), ModuleState.GLOBAL_LOCK)) {
            return SYS_BUSY.word();
        }
        if (state.sysState() != SysState.SYSCONFIG_DONE) {
            return SYS_KEY_CONFIG_NOT_PENDING.word();
        }
        int pkg = call.cpu().packageIndex();
        if ((state.configuredPackages() >>> pkg & 1) != 0) {
            return KEY_CONFIGURED.word();
        }
        if (!call.locks().exclusive(state.locks(), ModuleState.KEY_PORT_LOCK + pkg)) {
            return OPERAND_BUSY.with(Operand.KET);
        }
        state.configurePackage(pkg);
        if (state.configuredPackages() == state.allPackages()) {
            state.sysState(SysState.READY);
        }
        return Status.SUCCESS;
    }
}
