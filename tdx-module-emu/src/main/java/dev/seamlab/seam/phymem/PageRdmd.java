// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.phymem;

import static dev.seamlab.seam.abi.StatusCode.OPERAND_INVALID;

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

/** TDH.PHYMEM.PAGE.RDMD: what the metadata says about a page or range (facts: section 1.6). */
final class PageRdmd implements LeafHandler {
    private static final long NON_LEAF = 1L << 63;

    private final ModuleState state;
    private final PageAccess pages;

    PageRdmd(ModuleState state, PageAccess pages) {
        this.state = state;
        this.pages = pages;
    }

    @Override
    public long execute(Call call) {
        long rcx = call.regs().rcx();
        call.regs().rcx(0).rdx(0).r8(0).r9(0).r10(0).r11(0);
        int level = PageInfo.level(rcx);
        Pamt pamt = state.pamt();
        long hpa = PageInfo.address(rcx);
        boolean valid =
                PageInfo.reservedBitsAreZero(rcx)
                        && level <= (pamt.dynamic() ? PageInfo.LEVEL_1G : PageInfo.LEVEL_4K)
                        && state.addresses().isPrivatePage(hpa, PageInfo.sizeOf(level));
        if (!valid) {
            return OPERAND_INVALID.with(Operand.RCX);
        }
        PageRef page = call.page();
        long status = pages.walk(call, page, hpa, Operand.RCX, level, false);
        if (status != Status.SUCCESS) {
            return status;
        }
        if (level == PageInfo.LEVEL_4K && page.is(PageType.NDA) && pamt.isMetadataPage(hpa)) {
            call.regs().rcx(PageType.PAMT.code());
            return Status.SUCCESS;
        }
        call.regs().rcx(page.typeCode()).r8(page.level());
        if (page.is(PageType.PAMT)) {
            call.regs().rcx(PageType.PAMT.code() | NON_LEAF);
            call.regs().r10(Pamt.page0(page)).r11(Pamt.page1(page));
            return Status.SUCCESS;
        }
        call.regs().rdx(Addresses.hpa(page.owner()));
        if (page.is(PageType.REG) || page.is(PageType.EPT)) {
            call.regs().r9(page.bepoch());
        }
        return Status.SUCCESS;
    }
}
