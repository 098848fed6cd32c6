// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.phymem;

import static dev.seamlab.seam.abi.StatusCode.NO_PAMT_PAGE_PAIR;
import static dev.seamlab.seam.abi.StatusCode.PAMT_PAGE_NOT_EMPTY;

import dev.seamlab.machine.Hpa;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.PageType;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.core.Call;
import dev.seamlab.seam.core.LeafHandler;
import dev.seamlab.seam.core.ModuleState;
import dev.seamlab.seam.core.PageAccess;
import dev.seamlab.seam.pamt.Pamt;

/** TDH.PHYMEM.PAMT.REMOVE: gives the page pair of an unused 2M range back (facts: section 5.4). */
final class PamtRemove implements LeafHandler {
    private final ModuleState state;
    private final PageAccess pages;

    PamtRemove(ModuleState state, PageAccess pages) {
        this.state = state;
        this.pages = pages;
    }

    @Override
    public long execute(Call call) {
        long rcx = call.regs().rcx();
        long status = RangeOperand.check(state, rcx);
        if (status == Status.SUCCESS) {
            long base = PageInfo.address(rcx);
            status = pages.walk(call, call.page(), base, Operand.RCX, PageInfo.LEVEL_2M, true);
        }
        if (status != Status.SUCCESS) {
            return status;
        }
        if (call.page().level() != PageInfo.LEVEL_2M || !call.page().is(PageType.PAMT)) {
            return NO_PAMT_PAGE_PAIR.with(Operand.RCX);
        }
        Pamt pamt = state.pamt();
        int half = pamt.halfInUse(call.page());
        if (half >= 0) {
            return PAMT_PAGE_NOT_EMPTY.withDetail(half);
        }
        @Hpa long page0 = Pamt.page0(call.page());
        @Hpa long page1 = Pamt.page1(call.page());
        pamt.removePair(call.page());
        call.regs().rdx(page0).r8(page1);
        return Status.SUCCESS;
    }
}
