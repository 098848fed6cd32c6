// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.phymem;

import static dev.seamlab.seam.abi.StatusCode.OPERAND_INVALID;
import static dev.seamlab.seam.abi.StatusCode.PAGE_METADATA_INCORRECT;

import dev.seamlab.machine.Addresses;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.PageType;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.core.Call;
import dev.seamlab.seam.core.LeafHandler;
import dev.seamlab.seam.core.ModuleState;
import dev.seamlab.seam.core.PageAccess;

/**
 * TDH.PHYMEM.PAGE.WBINVD: writes a free page's cache lines back, under the KeyID in the address
 * (facts: section 1.6). The model has no caches, so that only the checks remain.
 */
final class PageWbinvd implements LeafHandler {
    private final ModuleState state;
    private final PageAccess pages;

    PageWbinvd(ModuleState state, PageAccess pages) {
        this.state = state;
        this.pages = pages;
    }

    @Override
    public long execute(Call call) {
        long operand = call.regs().rcx();
        if (!state.addresses().isBelowMaxPa(operand)
                || !Addresses.isAligned(operand, Addresses.PAGE_SIZE)) {
            return OPERAND_INVALID.with(Operand.RCX);
        }
        long hpa = state.addresses().withoutHkid(operand);
        long status = pages.walk(call, call.page(), hpa, Operand.RCX, PageInfo.LEVEL_4K, false);
        if (status != Status.SUCCESS) {
            return status;
        }
        boolean free = call.page().is(PageType.NDA) && !state.pamt().isMetadataPage(hpa);
        return free ? Status.SUCCESS : PAGE_METADATA_INCORRECT.with(Operand.RCX);
    }
}
