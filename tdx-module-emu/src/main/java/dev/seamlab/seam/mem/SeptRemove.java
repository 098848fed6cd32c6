// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.mem;

import static dev.seamlab.seam.abi.StatusCode.EPT_PAGE_NOT_FREE;
import static dev.seamlab.seam.abi.StatusCode.OPERAND_INVALID;

import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.core.Call;
import dev.seamlab.seam.core.LeafHandler;
import dev.seamlab.seam.sept.SeptCursor;
import dev.seamlab.seam.sept.SeptEntry;

/** TDH.MEM.SEPT.REMOVE: takes an empty table out of the Secure EPT (facts: section 1.6). */
final class SeptRemove implements LeafHandler {
    private final MemAccess access;

    SeptRemove(MemAccess access) {
        this.access = access;
    }

    @Override
    public long execute(Call call) {
        if (call.version() > 0) {
            call.regs().r9(PageInfo.NULL_PAGE).r10(PageInfo.NULL_PAGE).r11(PageInfo.NULL_PAGE);
        }
        if (call.version() > 1) {
            call.regs().rcx(0).rdx(0);
            return OPERAND_INVALID.with(Operand.RAX);
        }
        long tdr = call.regs().rdx();
        long status =
                access.open(
                        call, Leaf.MEM_SEPT_REMOVE, tdr, PageInfo.LEVEL_2M, MemAccess.ROOT, true);
        if (status == Status.SUCCESS) {
            status = access.lockPageBehind(call, call.page(), PageInfo.LEVEL_4K);
        }
        if (status == Status.SUCCESS) {
            status = access.checkBlockedAndTracked(call, call.page());
        }
        if (status != Status.SUCCESS) {
            return status;
        }
        SeptCursor at = call.sept();
        if (!at.child().isEmpty()) {
            return MemAccess.refuse(call, EPT_PAGE_NOT_FREE.with(Operand.RCX));
        }
        long page = SeptEntry.hpa(at.entry());
        at.commit(SeptEntry.FREE);
        at.table().child(at.index(), null);
        call.tdr().addChildren(-1);
        call.regs().rcx(page | call.page().free());
        return Status.SUCCESS;
    }
}
