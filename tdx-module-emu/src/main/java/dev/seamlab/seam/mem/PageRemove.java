// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.mem;

import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.core.Call;
import dev.seamlab.seam.core.LeafHandler;
import dev.seamlab.seam.sept.SeptCursor;
import dev.seamlab.seam.sept.SeptEntry;

/** TDH.MEM.PAGE.REMOVE: takes a page from the TD (facts: section 1.6). */
final class PageRemove implements LeafHandler {
    private final MemAccess access;

    PageRemove(MemAccess access) {
        this.access = access;
    }

    @Override
    public long execute(Call call) {
        long tdr = call.regs().rdx();
        long status =
                access.open(
                        call,
                        Leaf.MEM_PAGE_REMOVE,
                        tdr,
                        PageInfo.LEVEL_4K,
                        PageInfo.LEVEL_1G,
                        false);
        if (status != Status.SUCCESS) {
            return status;
        }
        SeptCursor at = call.sept();
        int level = at.level();
        status = access.lockPageBehind(call, call.page(), level);
        if (status == Status.SUCCESS) {
            status = access.checkBlockedAndTracked(call, call.page());
        }
        if (status != Status.SUCCESS) {
            return status;
        }
        long page = SeptEntry.leafHpa(at.entry(), level);
        at.commit(SeptEntry.FREE);
        call.tdr().addChildren(call.cpu(), -(1L << (9 * level)));
        call.regs().rcx(page | call.page().free());
        return Status.SUCCESS;
    }
}
