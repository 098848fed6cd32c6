// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.sys;

import static dev.seamlab.seam.abi.StatusCode.OPERAND_INVALID;
import static dev.seamlab.seam.abi.StatusCode.SYS_BUSY;
import static dev.seamlab.seam.abi.StatusCode.SYS_INIT_NOT_PENDING;

import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.core.Call;
import dev.seamlab.seam.core.LeafHandler;
import dev.seamlab.seam.core.ModuleState;
import dev.seamlab.seam.core.SysState;

/**
 * TDH.SYS.INIT, once per machine (facts: section 1.4). The platform checks of the real module have
 * nothing to find here: an emulated CPU is what its profile says. Version 1 takes {@link
 * Diagnostics} in R8.
 */
final class SysInit implements LeafHandler {
    private final ModuleState state;

    SysInit(ModuleState state) {
        this.state = state;
    }

    @Override
    public long execute(Call call) {
        long rcx = call.regs().rcx();
        long r8 = call.regs().r8();
        call.regs().rcx(0).rdx(0).r8(0).r9(0).r10(0);
        if (call.version() > 1) {
            return OPERAND_INVALID.with(Operand.RAX);
        }
        if (!call.locks().exclusive(state.locks(), ModuleState.GLOBAL_LOCK)) {
            return SYS_BUSY.word();
        }
        if (rcx != 0) {
            return OPERAND_INVALID.with(Operand.RCX);
        }
        if (state.sysState() != SysState.SYSINIT_PENDING) {
            return SYS_INIT_NOT_PENDING.word();
        }
        if (call.version() == 1) {
            if (!Diagnostics.isValid(r8, state.addresses())) {
                return OPERAND_INVALID.with(Operand.R8);
            }
            state.fatalErrorRecord(Diagnostics.record(r8, state.addresses()));
        }
        state.sysState(SysState.SYSINIT_DONE);
        return Status.SUCCESS;
    }
}
