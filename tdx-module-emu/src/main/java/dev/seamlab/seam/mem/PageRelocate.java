// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.mem;

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
import dev.seamlab.seam.pamt.PageRef;
import dev.seamlab.seam.sept.SeptCursor;
import dev.seamlab.seam.sept.SeptEntry;
import dev.seamlab.seam.sept.SeptRules;

/** TDH.MEM.PAGE.RELOCATE: moves a 4K page to another host page (facts: section 1.6). */
final class PageRelocate implements LeafHandler {
    private static final long PAGE_BITS = (1L << Addresses.MAX_PHYSICAL_BITS) - 1;

    private final ModuleState state;
    private final MemAccess access;
    private final PageAccess pages;

    PageRelocate(ModuleState state, MemAccess access, PageAccess pages) {
        this.state = state;
        this.access = access;
        this.pages = pages;
    }

    @Override
    public long execute(Call call) {
        long tdr = call.regs().rdx();
        long target = call.regs().r8();
        long status =
                access.open(
                        call,
                        Leaf.MEM_PAGE_RELOCATE,
                        tdr,
                        PageInfo.LEVEL_4K,
                        PageInfo.LEVEL_4K,
                        false);
        if (status != Status.SUCCESS) {
            return status;
        }
        SeptCursor at = call.sept();
        long source = SeptEntry.hpa(at.entry());
        // The module compares the 52 address bits and looks at the rest later.
        if (source == (target & PAGE_BITS)) {
            return OPERAND_INVALID.with(Operand.R8);
        }
        PageRef old = call.extraPage(0);
        status = access.lockPageBehind(call, old, PageInfo.LEVEL_4K);
        if (status == Status.SUCCESS) {
            status = access.checkBlockedAndTracked(call, old);
        }
        if (status == Status.SUCCESS) {
            status = pages.free4k(call, call.page(), target, Operand.R8);
        }
        if (status != Status.SUCCESS) {
            return status;
        }
        SeptEntryState next = SeptRules.unblocked(SeptEntry.state(at.entry()));
        if (next != SeptEntryState.PENDING) {
            state.memory().copyPage(target, source);
        }
        call.page().bepoch(0);
        call.page().assign(PageType.REG, call.tdr().pfn());
        at.commit(SeptEntry.leaf(target, next));
        call.regs().rcx(source | old.free());
        return Status.SUCCESS;
    }
}
