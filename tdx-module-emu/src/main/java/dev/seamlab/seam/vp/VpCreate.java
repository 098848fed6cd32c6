// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.vp;

import dev.seamlab.machine.Addresses;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.PageType;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.core.Call;
import dev.seamlab.seam.core.LeafHandler;
import dev.seamlab.seam.core.ModuleState;
import dev.seamlab.seam.core.PageAccess;
import dev.seamlab.seam.core.TdAccess;
import dev.seamlab.seam.td.Tdvps;

/** TDH.VP.CREATE: a TDVPR page makes a vCPU (facts: section 1.5). */
final class VpCreate implements LeafHandler {
    private final ModuleState state;
    private final PageAccess pages;
    private final TdAccess tds;

    VpCreate(ModuleState state, PageAccess pages, TdAccess tds) {
        this.state = state;
        this.pages = pages;
        this.tds = tds;
    }

    @Override
    public long execute(Call call) {
        long page = call.regs().rcx();
        long status = tds.byTdr(call, call.regs().rdx(), Operand.RDX, false);
        if (status == Status.SUCCESS) {
            status = tds.checkState(call, Leaf.VP_CREATE, true);
        }
        if (status == Status.SUCCESS) {
            status = pages.free4k(call, call.page(), page, Operand.RCX);
        }
        if (status != Status.SUCCESS) {
            return status;
        }
        state.memory().zeroPage(page);
        state.vcpus().put(Addresses.pfn(page), new Tdvps(page, call.tdr()));
        call.tdr().addChildren(1);
        call.page().assign(PageType.TDVPR, call.tdr().pfn());
        return Status.SUCCESS;
    }
}
