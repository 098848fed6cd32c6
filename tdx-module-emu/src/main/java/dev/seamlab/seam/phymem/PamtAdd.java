// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.phymem;

import static dev.seamlab.seam.abi.StatusCode.HPA_RANGE_NOT_FREE;
import static dev.seamlab.seam.abi.StatusCode.OPERAND_ADDR_RANGE_ERROR;
import static dev.seamlab.seam.abi.StatusCode.OPERAND_BUSY;
import static dev.seamlab.seam.abi.StatusCode.OPERAND_INVALID;
import static dev.seamlab.seam.abi.StatusCode.PAGE_NOT_FREE;

import dev.seamlab.machine.Addresses;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.PageType;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.core.Call;
import dev.seamlab.seam.core.LeafHandler;
import dev.seamlab.seam.core.ModuleState;
import dev.seamlab.seam.core.PageAccess;
import dev.seamlab.seam.pamt.PageRef;
import dev.seamlab.seam.pamt.Pamt;

/** TDH.PHYMEM.PAMT.ADD: a page pair for a 2M range (facts: section 5.3). */
final class PamtAdd implements LeafHandler {
    private final ModuleState state;
    private final PageAccess pages;

    PamtAdd(ModuleState state, PageAccess pages) {
        this.state = state;
        this.pages = pages;
    }

    @Override
    public long execute(Call call) {
        long rcx = call.regs().rcx();
        long page0 = call.regs().rdx();
        long page1 = call.regs().r8();
        Pamt pamt = state.pamt();
        long status = RangeOperand.check(state, rcx);
        if (status == Status.SUCCESS) {
            status = checkPage(page0, Operand.RDX);
        }
        if (status == Status.SUCCESS) {
            status = checkPage(page1, Operand.R8);
        }
        if (status != Status.SUCCESS) {
            return status;
        }
        long base = PageInfo.address(rcx);
        switch (pamt.walk(call.locks(), call.page(), base, PageInfo.LEVEL_2M, true)) {
            case Pamt.OUT_OF_RANGE -> {
                return OPERAND_ADDR_RANGE_ERROR.with(Operand.RCX);
            }
            case Pamt.LOCKED -> {
                return OPERAND_BUSY.with(Operand.RCX);
            }
            default -> {}
        }
        if (call.page().level() != PageInfo.LEVEL_2M || !call.page().is(PageType.NDA)) {
            return HPA_RANGE_NOT_FREE.with(Operand.RCX);
        }
        status = checkFree(call, call.extraPage(0), base, page0, Operand.RDX);
        if (status == Status.SUCCESS) {
            status = checkFree(call, call.extraPage(1), base, page1, Operand.R8);
        }
        if (status != Status.SUCCESS) {
            return status;
        }
        if (!pamt.claimMetadataPage(page0)) {
            return PAGE_NOT_FREE.with(Operand.RDX);
        }
        if (!pamt.claimMetadataPage(page1)) {
            pamt.releaseMetadataPage(page0);
            return PAGE_NOT_FREE.with(Operand.R8);
        }
        state.memory().zeroPage(page0);
        state.memory().zeroPage(page1);
        pamt.installPair(call.page(), page0, page1);
        return Status.SUCCESS;
    }

    private long checkPage(long page, Operand operand) {
        if (!pages.isPage(page)) {
            return OPERAND_INVALID.with(operand);
        }
        return state.pamt().covers(page) ? Status.SUCCESS : OPERAND_ADDR_RANGE_ERROR.with(operand);
    }

    /** A page inside the range itself is covered by the lock that the range is under. */
    private long checkFree(Call call, PageRef to, long base, long page, Operand operand) {
        if (Addresses.alignDown(page, Addresses.RANGE_SIZE) == base) {
            return Status.SUCCESS;
        }
        long status = pages.walk(call, to, page, operand, PageInfo.LEVEL_4K, false);
        if (status != Status.SUCCESS) {
            return status;
        }
        return to.is(PageType.NDA) ? Status.SUCCESS : PAGE_NOT_FREE.with(operand);
    }
}
