// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.core;

import static dev.seamlab.seam.abi.StatusCode.MISSING_PAMT_PAGE_PAIR;
import static dev.seamlab.seam.abi.StatusCode.OPERAND_ADDR_RANGE_ERROR;
import static dev.seamlab.seam.abi.StatusCode.OPERAND_BUSY;
import static dev.seamlab.seam.abi.StatusCode.OPERAND_INVALID;
import static dev.seamlab.seam.abi.StatusCode.PAGE_METADATA_INCORRECT;

import dev.seamlab.machine.Addresses;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.PageType;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.pamt.PageRef;
import dev.seamlab.seam.pamt.Pamt;

/**
 * Explicit access to a private page: operand format, region, locks of the walk, level, type,
 * bitmap, in this order (facts: module ABI sections 1.3 and 5.5).
 */
public final class PageAccess {
    private final ModuleState state;

    public PageAccess(ModuleState state) {
        this.state = state;
    }

    /** A free 4K page, to be given to a TD; exclusive. */
    public long free4k(Call call, PageRef to, long hpa, Operand operand) {
        return check(call, to, hpa, operand, PageInfo.LEVEL_4K, PageType.NDA, true);
    }

    /** A 4K page in use as {@code type}. */
    public long used4k(
            Call call, PageRef to, long hpa, Operand operand, PageType type, boolean alone) {
        return check(call, to, hpa, operand, PageInfo.LEVEL_4K, type, alone);
    }

    /** A free 4K page or a free 2M range, to be given to a TD; exclusive. */
    public long freeRange(Call call, PageRef to, long hpa, Operand operand, int level) {
        int mark = call.locks().mark();
        long status = check(call, to, hpa, operand, level, PageType.NDA, true);
        if (status != Status.SUCCESS) {
            return status;
        }
        if (level == PageInfo.LEVEL_2M && !state.pamt().isRangeFree(hpa)) {
            call.locks().releaseTo(mark);
            return PAGE_METADATA_INCORRECT.with(operand);
        }
        return Status.SUCCESS;
    }

    /** Walks to a page of any type: region and locks only. The operand's format was checked. */
    public long walk(Call call, PageRef to, long hpa, Operand operand, int level, boolean alone) {
        return switch (state.pamt().walk(call.locks(), to, hpa, level, alone)) {
            case Pamt.OUT_OF_RANGE -> OPERAND_ADDR_RANGE_ERROR.with(operand);
            case Pamt.LOCKED -> OPERAND_BUSY.with(operand);
            default -> Status.SUCCESS;
        };
    }

    private long check(
            Call call,
            PageRef to,
            long hpa,
            Operand operand,
            int level,
            PageType expected,
            boolean alone) {
        if (!state.addresses().isPrivatePage(hpa, PageInfo.sizeOf(level))) {
            return OPERAND_INVALID.with(operand);
        }
        int mark = call.locks().mark();
        long status = walk(call, to, hpa, operand, level, alone);
        if (status != Status.SUCCESS) {
            return status;
        }
        Pamt pamt = state.pamt();
        boolean right = to.level() == level && to.is(expected);
        if (right && !(expected == PageType.NDA && pamt.isMetadataPage(to))) {
            return Status.SUCCESS;
        }
        boolean pairMissing =
                pamt.dynamic()
                        && expected == PageType.NDA
                        && level == PageInfo.LEVEL_4K
                        && to.level() == PageInfo.LEVEL_2M
                        && to.is(PageType.NDA);
        call.locks().releaseTo(mark);
        return (pairMissing ? MISSING_PAMT_PAGE_PAIR : PAGE_METADATA_INCORRECT).with(operand);
    }

    /** Format check of a 4K page operand. */
    public boolean isPage(long hpa) {
        return state.addresses().isPrivatePage(hpa, Addresses.PAGE_SIZE);
    }
}
