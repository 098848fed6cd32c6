// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.vp;

import static dev.seamlab.seam.abi.StatusCode.TDCX_NUM_INCORRECT;
import static dev.seamlab.seam.abi.StatusCode.VCPU_STATE_INCORRECT;

import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.PageType;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.VcpuState;
import dev.seamlab.seam.core.Call;
import dev.seamlab.seam.core.LeafHandler;
import dev.seamlab.seam.core.ModuleState;
import dev.seamlab.seam.core.PageAccess;
import dev.seamlab.seam.core.TdAccess;
import dev.seamlab.seam.pamt.PageRef;
import dev.seamlab.seam.td.Tdvps;

/** TDH.VP.ADDCX: a page for a vCPU's control structure (facts: section 1.5). */
final class VpAddCx implements LeafHandler {
    private final ModuleState state;
    private final PageAccess pages;
    private final TdAccess tds;

    VpAddCx(ModuleState state, PageAccess pages, TdAccess tds) {
        this.state = state;
        this.pages = pages;
        this.tds = tds;
    }

    @Override
    public long execute(Call call) {
        long page = call.regs().rcx();
        long status = tds.byTdvpr(call, call.regs().rdx(), Operand.RDX, true, false);
        if (status == Status.SUCCESS) {
            status = tds.checkState(call, Leaf.VP_ADDCX, true);
        }
        if (status != Status.SUCCESS) {
            return status;
        }
        Tdvps vcpu = call.tdvps();
        if (vcpu.state() != VcpuState.UNINITIALIZED) {
            return VCPU_STATE_INCORRECT.withDetail(vcpu.state().code());
        }
        if (vcpu.pageCount() >= Tdvps.MAX_PAGES) {
            return TDCX_NUM_INCORRECT.word();
        }
        PageRef added = call.extraPage(0);
        status = pages.free4k(call, added, page, Operand.RCX);
        if (status != Status.SUCCESS) {
            return status;
        }
        state.memory().zeroPage(page);
        vcpu.addPage(page);
        call.tdr().addChildren(1);
        added.assign(PageType.TDCX, call.tdr().pfn());
        return Status.SUCCESS;
    }
}
