// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.mem;

import static dev.seamlab.seam.abi.StatusCode.OPERAND_ADDR_RANGE_ERROR;
import static dev.seamlab.seam.abi.StatusCode.OPERAND_INVALID;
import static dev.seamlab.seam.abi.StatusCode.PAGE_NOT_FREE;

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
import dev.seamlab.seam.pamt.Pamt;
import dev.seamlab.seam.sept.SeptCursor;
import dev.seamlab.seam.sept.SeptEntry;
import dev.seamlab.seam.sept.SeptRules;
import dev.seamlab.seam.sept.SeptTable;

/**
 * TDH.MEM.PAGE.DEMOTE: splits a large page into 512 smaller ones behind a new table; with Dynamic
 * PAMT a 2M page also needs a page pair in R12 and R13 (facts: sections 1.6 and 5.5).
 */
final class PageDemote implements LeafHandler {
    private static final long L2_SEPT_ADD_MODE = 1;
    private static final long TDR_MASK = 0x000F_FFFF_FFFF_F000L;

    private final ModuleState state;
    private final MemAccess access;
    private final PageAccess pages;

    PageDemote(ModuleState state, MemAccess access, PageAccess pages) {
        this.state = state;
        this.access = access;
        this.pages = pages;
    }

    @Override
    public long execute(Call call) {
        long info = call.regs().rcx();
        long handle = call.regs().rdx();
        long septPage = call.regs().r8();
        if ((handle & ~(TDR_MASK | L2_SEPT_ADD_MODE)) != 0) {
            call.regs().rcx(0).rdx(0);
            return OPERAND_INVALID.with(Operand.RDX);
        }
        long status =
                access.open(
                        call,
                        Leaf.MEM_PAGE_DEMOTE,
                        handle & TDR_MASK,
                        PageInfo.LEVEL_2M,
                        PageInfo.LEVEL_1G,
                        false);
        if (status != Status.SUCCESS) {
            return status;
        }
        PageRef large = call.extraPage(0);
        access.locatePageBehind(call, large);
        status = access.checkBlockedAndTracked(call, large);
        if (status == Status.SUCCESS) {
            status = pages.free4k(call, call.page(), septPage, Operand.R8);
        }
        if (status == Status.SUCCESS) {
            status = access.checkInterrupted(call, Leaf.MEM_PAGE_DEMOTE, info, handle);
        }
        int level = call.sept().level();
        if (status == Status.SUCCESS) {
            status = access.lockPageBehind(call, large, level);
        }
        boolean needsPair = state.pamt().dynamic() && level == PageInfo.LEVEL_2M;
        if (status == Status.SUCCESS && needsPair) {
            status = claimPair(call);
        }
        if (status != Status.SUCCESS) {
            return status;
        }
        split(call, large, septPage);
        return Status.SUCCESS;
    }

    /** Marks R12 and R13 as PAMT pages; the last check, and the only one with something to undo. */
    private long claimPair(Call call) {
        long page0 = call.regs().r12();
        long page1 = call.regs().r13();
        Pamt pamt = state.pamt();
        if (!pages.isPage(page0)) {
            return OPERAND_INVALID.with(Operand.R12);
        }
        if (!pages.isPage(page1)) {
            return OPERAND_INVALID.with(Operand.R13);
        }
        if (!pamt.covers(page0)) {
            return OPERAND_ADDR_RANGE_ERROR.with(Operand.R12);
        }
        if (!pamt.covers(page1)) {
            return OPERAND_ADDR_RANGE_ERROR.with(Operand.R13);
        }
        long status = checkFree(call, call.extraPage(1), page0, Operand.R12);
        if (status == Status.SUCCESS) {
            status = checkFree(call, call.extraPage(2), page1, Operand.R13);
        }
        if (status != Status.SUCCESS) {
            return status;
        }
        if (!pamt.claimMetadataPage(page0)) {
            return PAGE_NOT_FREE.with(Operand.R12);
        }
        if (!pamt.claimMetadataPage(page1)) {
            pamt.releaseMetadataPage(page0);
            return PAGE_NOT_FREE.with(Operand.R13);
        }
        return Status.SUCCESS;
    }

    private long checkFree(Call call, PageRef to, long page, Operand operand) {
        long status = pages.walk(call, to, page, operand, PageInfo.LEVEL_4K, false);
        if (status != Status.SUCCESS) {
            return status;
        }
        return to.is(PageType.NDA) ? Status.SUCCESS : PAGE_NOT_FREE.with(operand);
    }

    private void split(Call call, PageRef large, long septPage) {
        SeptCursor at = call.sept();
        int level = at.level();
        SeptEntryState children = SeptRules.unblocked(SeptEntry.state(at.entry()));
        SeptTable table = new SeptTable(septPage, level - 1);
        table.fillWithLeaves(SeptEntry.leafHpa(at.entry(), level), children);
        state.pamt().demote(large, call.regs().r12(), call.regs().r13());
        call.page().assign(PageType.EPT, call.tdr().pfn());
        call.tdr().addChildren(1);
        at.table().child(at.index(), table);
        at.commit(SeptEntry.table(septPage));
    }
}
