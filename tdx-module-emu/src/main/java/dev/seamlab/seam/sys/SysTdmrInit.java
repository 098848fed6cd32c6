// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.sys;

import static dev.seamlab.seam.abi.StatusCode.OPERAND_BUSY;
import static dev.seamlab.seam.abi.StatusCode.OPERAND_INVALID;
import static dev.seamlab.seam.abi.StatusCode.TDMR_ALREADY_INITIALIZED;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Hpa;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.core.Call;
import dev.seamlab.seam.core.LeafHandler;
import dev.seamlab.seam.core.ModuleState;
import dev.seamlab.seam.pamt.Pamt;
import dev.seamlab.seam.pamt.Tdmr;

/**
 * TDH.SYS.TDMR.INIT: a step of 1024 4K entries, or of 4096 with Dynamic PAMT, where there are only
 * bitmap bits to write (facts: section 1.4).
 */
final class SysTdmrInit implements LeafHandler {
    private static final long STATIC_STEP = 1024 * Addresses.PAGE_SIZE;
    private static final long DYNAMIC_STEP = 4096 * Addresses.PAGE_SIZE;

    private final ModuleState state;

    SysTdmrInit(ModuleState state) {
        this.state = state;
    }

    @Override
    public long execute(Call call) {
        long base = call.regs().rcx();
        call.regs().rdx(0);
        if (!state.addresses().isPrivatePage(base, Addresses.GIB)) {
            return OPERAND_INVALID.with(Operand.RCX);
        }
        Pamt pamt = state.pamt();
        Tdmr tdmr = pamt.tdmrAt(base);
        if (tdmr == null) {
            return OPERAND_INVALID.with(Operand.RCX);
        }
        if (!call.locks().exclusive(tdmr.mutex(), 0)) {
            return OPERAND_BUSY.with(Operand.RCX);
        }
        if (tdmr.initialisedUpTo() >= tdmr.end()) {
            return TDMR_ALREADY_INITIALIZED.word();
        }
        @Hpa long upTo = pamt.initialise(tdmr, pamt.dynamic() ? DYNAMIC_STEP : STATIC_STEP);
        call.regs().rdx(Addresses.alignDown(upTo, Addresses.GIB));
        return Status.SUCCESS;
    }
}
