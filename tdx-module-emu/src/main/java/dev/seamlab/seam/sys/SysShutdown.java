// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.sys;

import static dev.seamlab.seam.abi.StatusCode.OPERAND_INVALID;
import static dev.seamlab.seam.abi.StatusCode.SYS_BUSY;
import static dev.seamlab.seam.abi.StatusCode.UPDATE_COMPATIBILITY_SENSITIVE;

import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.core.Call;
import dev.seamlab.seam.core.LeafHandler;
import dev.seamlab.seam.core.ModuleState;
import dev.seamlab.seam.core.SysState;

/**
 * TDH.SYS.SHUTDOWN: the module stops answering, to be replaced (facts: section 1.4). There is no
 * TD-preserving update in the model, so that nothing is handed over and nothing comes after.
 *
 * <p>A CPU whose vCPU runs counts as inside the module, which is a guess. A call that begins on
 * another CPU at the same moment may still run to its end.
 */
final class SysShutdown implements LeafHandler {
    private static final long VERSION_MASK = 0xFFFF;
    private static final long AVOID_COMPATIBILITY_SENSITIVE = 1L << 16;

    /** The only handoff version: MODULE_HV is 1, and NO_DOWNGRADE demands exactly that. */
    private static final long HANDOFF_VERSION = 1;

    private static final int COUNT_SHIFT = 16;

    private final ModuleState state;

    SysShutdown(ModuleState state) {
        this.state = state;
    }

    @Override
    public long execute(Call call) {
        long handoff = call.regs().rcx();
        boolean reserved = (handoff & ~(VERSION_MASK | AVOID_COMPATIBILITY_SENSITIVE)) != 0;
        if (reserved || (handoff & VERSION_MASK) != HANDOFF_VERSION) {
            return OPERAND_INVALID.with(Operand.RCX);
        }
        if (!call.locks().exclusive(state.locks(), ModuleState.GLOBAL_LOCK)
                || state.isOtherCpuInside(call.cpu().index())) {
            return SYS_BUSY.word();
        }
        boolean avoids = (handoff & AVOID_COMPATIBILITY_SENSITIVE) != 0;
        int building = state.tdsBeingBuilt();
        if (avoids && building != 0) {
            return UPDATE_COMPATIBILITY_SENSITIVE.withDetail((long) building << COUNT_SHIFT);
        }
        state.sysState(SysState.SHUTDOWN);
        return Status.SUCCESS;
    }
}
