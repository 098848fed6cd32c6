// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.mem;

import static dev.seamlab.seam.abi.StatusCode.EPT_ENTRY_STATE_INCORRECT;
import static dev.seamlab.seam.abi.StatusCode.EPT_WALK_FAILED;
import static dev.seamlab.seam.abi.StatusCode.OPERAND_INVALID;

import dev.seamlab.machine.Addresses;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.PageType;
import dev.seamlab.seam.abi.SeptEntryState;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.core.Call;
import dev.seamlab.seam.core.LeafHandler;
import dev.seamlab.seam.core.ModuleState;
import dev.seamlab.seam.core.PageAccess;
import dev.seamlab.seam.core.TdAccess;
import dev.seamlab.seam.sept.SeptCursor;
import dev.seamlab.seam.sept.SeptEntry;
import dev.seamlab.seam.sept.SeptRules;

/**
 * TDH.MEM.PAGE.ADD: copies a page into a TD under construction and measures its address (facts:
 * sections 1.6 and 10.1). Owns the TDR, so it takes no lock on the tree or the entry.
 */
final class PageAdd implements LeafHandler {
    private final ModuleState state;
    private final PageAccess pages;
    private final TdAccess tds;

    PageAdd(ModuleState state, PageAccess pages, TdAccess tds) {
        this.state = state;
        this.pages = pages;
        this.tds = tds;
    }

    @Override
    public long execute(Call call) {
        long info = call.regs().rcx();
        long tdr = call.regs().rdx();
        long page = call.regs().r8();
        long source = call.regs().r9();
        call.regs().rcx(0).rdx(0);
        long status = tds.byTdr(call, tdr, Operand.RDX, true);
        if (status == Status.SUCCESS) {
            status = tds.checkState(call, Leaf.MEM_PAGE_ADD, false);
        }
        if (status != Status.SUCCESS) {
            return status;
        }
        long gpa = PageInfo.address(info);
        if (!MemAccess.isPageInfoValid(info, PageInfo.LEVEL_4K, PageInfo.LEVEL_4K)
                || !call.tdcs().config().isPrivate(gpa)) {
            return OPERAND_INVALID.with(Operand.RCX);
        }
        SeptCursor at = call.sept();
        if (!at.walk(call.tdcs().septRoot(), gpa, PageInfo.LEVEL_4K)) {
            return MemAccess.refuse(call, EPT_WALK_FAILED.with(Operand.RCX));
        }
        if (!SeptRules.allows(Leaf.MEM_PAGE_ADD, SeptEntry.state(at.entry()))) {
            return MemAccess.refuse(call, EPT_ENTRY_STATE_INCORRECT.with(Operand.RCX));
        }
        if (!state.addresses().isSharedBuffer(source, Addresses.PAGE_SIZE)) {
            return OPERAND_INVALID.with(Operand.R9);
        }
        status = pages.free4k(call, call.page(), page, Operand.R8);
        if (status != Status.SUCCESS) {
            return status;
        }
        state.memory().copyPage(page, state.addresses().withoutHkid(source));
        call.tdcs().measurement().addPage(gpa);
        call.tdr().addChildren(1);
        call.page().bepoch(0);
        call.page().assign(PageType.REG, call.tdr().pfn());
        at.commit(SeptEntry.leaf(page, SeptEntryState.MAPPED));
        return Status.SUCCESS;
    }
}
