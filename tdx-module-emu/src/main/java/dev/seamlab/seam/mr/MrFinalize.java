// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.mr;

import static dev.seamlab.seam.abi.StatusCode.NO_VCPUS;

import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.OpState;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.core.Call;
import dev.seamlab.seam.core.LeafHandler;
import dev.seamlab.seam.core.ModuleState;
import dev.seamlab.seam.core.TdAccess;
import dev.seamlab.seam.td.Tdcs;

/** TDH.MR.FINALIZE: the measurement is complete, the TD may run (facts: section 1.5). */
final class MrFinalize implements LeafHandler {
    private final ModuleState state;
    private final TdAccess tds;

    MrFinalize(ModuleState state, TdAccess tds) {
        this.state = state;
        this.tds = tds;
    }

    @Override
    public long execute(Call call) {
        long status = tds.byTdr(call, call.regs().rcx(), Operand.RCX, true);
        if (status == Status.SUCCESS) {
            status = tds.checkState(call, Leaf.MR_FINALIZE, false);
        }
        if (status != Status.SUCCESS) {
            return status;
        }
        Tdcs tdcs = call.tdcs();
        if (tdcs.vcpus() == 0) {
            return NO_VCPUS.word();
        }
        byte[] mrtd = tdcs.measurement().finish();
        System.arraycopy(mrtd, 0, tdcs.mrtd(), 0, mrtd.length);
        tdcs.opState(OpState.RUNNABLE);
        state.addTdsBeingBuilt(-1);
        return Status.SUCCESS;
    }
}
