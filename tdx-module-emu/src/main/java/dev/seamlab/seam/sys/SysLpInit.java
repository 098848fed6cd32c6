// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.sys;

import static dev.seamlab.seam.abi.StatusCode.SYS_BUSY;
import static dev.seamlab.seam.abi.StatusCode.SYS_LP_INIT_DONE;
import static dev.seamlab.seam.abi.StatusCode.SYS_LP_INIT_NOT_PENDING;

import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.core.Call;
import dev.seamlab.seam.core.LeafHandler;
import dev.seamlab.seam.core.ModuleState;
import dev.seamlab.seam.core.SysState;
import java.util.Arrays;

/** TDH.SYS.LP.INIT, once per logical CPU, on many at the same time (facts: section 1.4). */
final class SysLpInit implements LeafHandler {
    private final ModuleState state;

    SysLpInit(ModuleState state) {
        this.state = state;
    }

    @Override
    public long execute(Call call) {
        call.regs().rcx(0).rdx(0).r8(0);
        if (!call.locks().share(state.locks(), ModuleState.GLOBAL_LOCK)) {
            return SYS_BUSY.word();
        }
        if (state.sysState() != SysState.SYSINIT_DONE) {
            return SYS_LP_INIT_NOT_PENDING.word();
        }
        if (state.isInitialised(call.cpu().index())) {
            return SYS_LP_INIT_DONE.word();
        }
        clearRecord(call);
        state.initialised(call.cpu().index());
        return Status.SUCCESS;
    }

    /** The record of a fatal error says that there was none. */
    private void clearRecord(Call call) {
        long record = state.fatalErrorRecord();
        if (record != ModuleState.NO_RECORD) {
            Arrays.fill(call.buffer(), 0, Diagnostics.RECORD_BYTES, (byte) 0);
            state.memory().write(record, call.buffer(), 0, Diagnostics.RECORD_BYTES);
        }
    }
}
