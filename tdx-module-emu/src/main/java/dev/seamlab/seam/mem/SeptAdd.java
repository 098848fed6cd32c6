// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.mem;

import static dev.seamlab.seam.abi.StatusCode.EPT_ENTRY_STATE_INCORRECT;
import static dev.seamlab.seam.abi.StatusCode.OPERAND_INVALID;

import dev.seamlab.machine.Registers;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.PageType;
import dev.seamlab.seam.abi.SeptEntryState;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.core.Call;
import dev.seamlab.seam.core.LeafHandler;
import dev.seamlab.seam.core.PageAccess;
import dev.seamlab.seam.sept.SeptCursor;
import dev.seamlab.seam.sept.SeptEntry;
import dev.seamlab.seam.sept.SeptTable;

/**
 * TDH.MEM.SEPT.ADD: a page becomes a table of the Secure EPT (facts: section 1.6). Version 1 also
 * takes pages for L2 VMs in R9 to R11; the model has no L2 VMs, so that any but "none" is refused,
 * as for a TD without them.
 */
final class SeptAdd implements LeafHandler {
    private static final long ALLOW_EXISTING = 1;
    private static final long TDR_MASK = 0x000F_FFFF_FFFF_F000L;
    private static final long NOT_USED = 1L << 63;
    private static final int FIRST_L2_REGISTER = Registers.R9;

    private final MemAccess access;
    private final PageAccess pages;

    SeptAdd(MemAccess access, PageAccess pages) {
        this.access = access;
        this.pages = pages;
    }

    @Override
    public long execute(Call call) {
        Registers regs = call.regs();
        if (call.version() > 1) {
            regs.rcx(0).rdx(0);
            return OPERAND_INVALID.with(Operand.RAX);
        }
        if (call.version() == 0) {
            return add(call);
        }
        for (int register = Registers.R8; register <= Registers.R11; register++) {
            regs.set(register, withoutFlag(regs.get(register)));
        }
        return add(call);
    }

    private long add(Call call) {
        Registers regs = call.regs();
        long page = withoutFlag(regs.r8());
        long handle = regs.rdx();
        if ((handle & ~(TDR_MASK | ALLOW_EXISTING)) != 0) {
            regs.rcx(0).rdx(0);
            return OPERAND_INVALID.with(Operand.RDX);
        }
        boolean allowExisting = (handle & ALLOW_EXISTING) != 0;
        long tdr = handle & TDR_MASK;
        long status =
                access.open(call, Leaf.MEM_SEPT_ADD, tdr, PageInfo.LEVEL_2M, MemAccess.ROOT, false);
        if (status != Status.SUCCESS) {
            return status;
        }
        boolean exists = SeptEntry.is(call.sept().entry(), SeptEntryState.NL_MAPPED);
        boolean given = page != PageInfo.NULL_PAGE;
        if (!given && call.version() == 0) {
            return OPERAND_INVALID.with(Operand.R8);
        }
        if (given ? exists && !allowExisting : !exists) {
            return MemAccess.refuse(call, EPT_ENTRY_STATE_INCORRECT.with(Operand.RCX));
        }
        if (!exists) {
            status = pages.free4k(call, call.page(), page, Operand.R8);
            if (status != Status.SUCCESS) {
                return status;
            }
        }
        boolean unused = exists && given;
        if (call.version() > 0) {
            // Set before the L2 pages are looked at, as in the module.
            regs.r8(unused ? page | NOT_USED : page);
            for (int vm = 0; vm < 3; vm++) {
                if (regs.get(FIRST_L2_REGISTER + vm) != PageInfo.NULL_PAGE) {
                    return OPERAND_INVALID.withDetail(FIRST_L2_REGISTER + vm);
                }
            }
            regs.r8(unused ? page | NOT_USED : PageInfo.NULL_PAGE);
        }
        if (!exists) {
            link(call, page);
        }
        return Status.SUCCESS;
    }

    private static void link(Call call, long page) {
        SeptCursor at = call.sept();
        at.table().child(at.index(), new SeptTable(page, at.level() - 1));
        call.tdr().addChildren(1);
        call.page().bepoch(0);
        call.page().assign(PageType.EPT, call.tdr().pfn());
        at.commit(SeptEntry.table(page));
    }

    /** Bit 63 says "not used" in an output, and is ignored in an input. */
    private static long withoutFlag(long page) {
        return page == PageInfo.NULL_PAGE ? page : page & ~NOT_USED;
    }
}
