// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.mng;

import static dev.seamlab.seam.abi.StatusCode.OP_STATE_INCORRECT;
import static dev.seamlab.seam.abi.StatusCode.TDCX_NUM_INCORRECT;
import static dev.seamlab.seam.abi.StatusCode.TD_FATAL;
import static dev.seamlab.seam.abi.StatusCode.TD_KEYS_NOT_CONFIGURED;

import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.LifecycleState;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.PageType;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.core.Call;
import dev.seamlab.seam.core.LeafHandler;
import dev.seamlab.seam.core.ModuleState;
import dev.seamlab.seam.core.PageAccess;
import dev.seamlab.seam.core.TdAccess;
import dev.seamlab.seam.td.OpStateRules;
import dev.seamlab.seam.td.Tdcs;
import dev.seamlab.seam.td.Tdr;

/** TDH.MNG.ADDCX: a page for the control structure (facts: sections 1.5 and 7.3). */
final class MngAddCx implements LeafHandler {
    /** Place of the page that becomes the root of the Secure EPT. */
    private static final int SEPT_ROOT = 3;

    private final ModuleState state;
    private final PageAccess pages;
    private final TdAccess tds;

    MngAddCx(ModuleState state, PageAccess pages, TdAccess tds) {
        this.state = state;
        this.pages = pages;
        this.tds = tds;
    }

    @Override
    public long execute(Call call) {
        long page = call.regs().rcx();
        long status = tds.byTdr(call, call.regs().rdx(), Operand.RDX, true);
        if (status != Status.SUCCESS) {
            return status;
        }
        Tdr tdr = call.tdr();
        if (tdr.isFatal()) {
            return TD_FATAL.word();
        }
        if (tdr.lifecycle() != LifecycleState.KEYS_CONFIGURED) {
            return TD_KEYS_NOT_CONFIGURED.word();
        }
        if (tdr.tdcxCount() >= Tdr.MAX_TDCX) {
            return TDCX_NUM_INCORRECT.word();
        }
        status = pages.free4k(call, call.page(), page, Operand.RCX);
        if (status != Status.SUCCESS) {
            return status;
        }
        Tdcs tdcs = tdr.tdcs();
        if (tdcs != null && !OpStateRules.allows(Leaf.MNG_ADDCX, tdcs.opState())) {
            return OP_STATE_INCORRECT.withDetail(tdcs.opState().ordinal());
        }
        state.memory().zeroPage(page);
        tdr.addTdcx(page);
        tdr.addChildren(1);
        if (tdr.tdcxCount() == state.profile().module().tdcsPages()) {
            tdr.tdcs(
                    new Tdcs(
                            tdr.tdcx(SEPT_ROOT),
                            state.profile().module().maxVcpusPerTd(),
                            state.profile().cpus()));
        }
        call.page().assign(PageType.TDCX, tdr.pfn());
        return Status.SUCCESS;
    }
}
