// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.mem;

import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.PageType;
import dev.seamlab.seam.abi.SeptEntryState;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.core.Call;
import dev.seamlab.seam.core.LeafHandler;
import dev.seamlab.seam.core.PageAccess;
import dev.seamlab.seam.sept.SeptEntry;

/** TDH.MEM.PAGE.AUG: offers a page to the guest, pending its ACCEPT (facts: section 1.6). */
final class PageAug implements LeafHandler {
    private final MemAccess access;
    private final PageAccess pages;

    PageAug(MemAccess access, PageAccess pages) {
        this.access = access;
        this.pages = pages;
    }

    @Override
    public long execute(Call call) {
        long tdr = call.regs().rdx();
        long page = call.regs().r8();
        long status =
                access.open(
                        call, Leaf.MEM_PAGE_AUG, tdr, PageInfo.LEVEL_4K, PageInfo.LEVEL_2M, false);
        if (status != Status.SUCCESS) {
            return status;
        }
        int level = call.sept().level();
        status = pages.freeRange(call, call.page(), page, Operand.R8, level);
        if (status != Status.SUCCESS) {
            return status;
        }
        call.tdr().addChildren(call.cpu(), 1L << (9 * level));
        call.page().bepoch(0);
        call.page().assign(PageType.REG, call.tdr().pfn());
        call.sept().commit(SeptEntry.leaf(page, SeptEntryState.PENDING));
        return Status.SUCCESS;
    }
}
