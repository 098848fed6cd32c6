// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.phymem;

import static dev.seamlab.seam.abi.StatusCode.LIFECYCLE_STATE_INCORRECT;
import static dev.seamlab.seam.abi.StatusCode.OPERAND_INVALID;
import static dev.seamlab.seam.abi.StatusCode.PAGE_METADATA_INCORRECT;
import static dev.seamlab.seam.abi.StatusCode.TD_ASSOCIATED_PAGES_EXIST;

import dev.seamlab.machine.Addresses;
import dev.seamlab.seam.abi.LifecycleState;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.PageType;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.core.Call;
import dev.seamlab.seam.core.LeafHandler;
import dev.seamlab.seam.core.ModuleState;
import dev.seamlab.seam.core.PageAccess;
import dev.seamlab.seam.core.TdAccess;
import dev.seamlab.seam.pamt.PageRef;
import dev.seamlab.seam.td.Tdr;
import java.util.Objects;

/**
 * TDH.PHYMEM.PAGE.RECLAIM: takes a page from a TD whose key is gone, the TDR last (facts: sections
 * 1.6 and 7.5). Type, owner and size are reported even when a later check fails.
 */
final class PageReclaim implements LeafHandler {
    private final ModuleState state;
    private final PageAccess pages;
    private final TdAccess tds;

    PageReclaim(ModuleState state, PageAccess pages, TdAccess tds) {
        this.state = state;
        this.pages = pages;
        this.tds = tds;
    }

    @Override
    public long execute(Call call) {
        long hpa = call.regs().rcx();
        call.regs().rcx(0).rdx(0).r8(0).r9(0).r10(0).r11(0);
        if (!pages.isPage(hpa)) {
            return OPERAND_INVALID.with(Operand.RCX);
        }
        PageRef page = call.page();
        long status = pages.walk(call, page, hpa, Operand.RCX, PageInfo.LEVEL_4K, true);
        if (status != Status.SUCCESS) {
            return status;
        }
        if (page.is(PageType.NDA) || page.is(PageType.RSVD)) {
            return PAGE_METADATA_INCORRECT.with(Operand.RCX);
        }
        call.regs().rcx(page.typeCode());
        call.regs().rdx(Addresses.hpa(page.owner()));
        call.regs().r8(page.level());
        if (!Addresses.isAligned(hpa, PageInfo.sizeOf(page.level()))) {
            return OPERAND_INVALID.with(Operand.RCX);
        }
        status = page.is(PageType.TDR) ? releaseTdr(page) : releaseFromOwner(call, page);
        if (status == Status.SUCCESS) {
            call.regs().r9(page.free());
        }
        return status;
    }

    private long releaseFromOwner(Call call, PageRef page) {
        long status = tds.byOwner(call, page, false);
        if (status != Status.SUCCESS) {
            return status;
        }
        if (call.tdr().lifecycle() != LifecycleState.TEARDOWN) {
            return LIFECYCLE_STATE_INCORRECT.word();
        }
        call.tdr().addChildren(call.cpu(), -(1L << (9 * page.level())));
        if (page.is(PageType.TDVPR)) {
            Objects.requireNonNull(state.vcpus().get(page.pfn())).setGone();
            state.vcpus().put(page.pfn(), null);
        }
        return Status.SUCCESS;
    }

    private long releaseTdr(PageRef page) {
        Tdr tdr = Objects.requireNonNull(state.tds().get(page.pfn()), "TDR page without TD");
        if (tdr.lifecycle() != LifecycleState.TEARDOWN) {
            return LIFECYCLE_STATE_INCORRECT.word();
        }
        if (tdr.children() != 0) {
            return TD_ASSOCIATED_PAGES_EXIST.word();
        }
        tdr.setGone();
        state.tds().put(page.pfn(), null);
        return Status.SUCCESS;
    }
}
