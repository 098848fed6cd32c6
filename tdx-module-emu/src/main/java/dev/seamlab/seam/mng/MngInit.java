// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.mng;

import static dev.seamlab.seam.abi.StatusCode.OPERAND_INVALID;

import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.TdParams;
import dev.seamlab.seam.core.Call;
import dev.seamlab.seam.core.LeafHandler;
import dev.seamlab.seam.core.ModuleState;
import dev.seamlab.seam.core.TdAccess;

/** TDH.MNG.INIT: TD_PARAMS, checked and taken over (facts: sections 1.5 and 9). */
final class MngInit implements LeafHandler {
    private static final long EVENT_FILTERS = 1;

    private final ModuleState state;
    private final TdAccess tds;
    private final TdParamsRules rules;

    MngInit(ModuleState state, TdAccess tds) {
        this.state = state;
        this.tds = tds;
        this.rules = new TdParamsRules(state);
    }

    @Override
    public long execute(Call call) {
        long tdr = call.regs().rcx();
        long params = call.regs().rdx();
        boolean eventFilters = (tdr & EVENT_FILTERS) != 0;
        call.regs().rcx(0);
        long status = tds.byTdr(call, tdr & ~EVENT_FILTERS, Operand.RCX, true);
        if (status == Status.SUCCESS) {
            status = tds.checkState(call, Leaf.MNG_INIT, false);
        }
        if (status != Status.SUCCESS) {
            return status;
        }
        if (!state.addresses().isSharedBuffer(params, TdParams.ALIGNMENT)) {
            return OPERAND_INVALID.with(Operand.RDX);
        }
        // Copied once: the host must not change it between check and use.
        byte[] copy = call.buffer();
        state.memory().read(state.addresses().withoutHkid(params), copy, 0, TdParams.SIZE);
        TdParamsRules.Verdict verdict =
                rules.judge(copy, call.tdr().tdcxCount(), eventFilters, call.regs().r8());
        if (verdict.config() == null) {
            call.regs().rcx(verdict.failingLeaf());
            return verdict.status();
        }
        call.tdcs().initialise(verdict.config());
        state.addTdsBeingBuilt(1);
        return Status.SUCCESS;
    }
}
