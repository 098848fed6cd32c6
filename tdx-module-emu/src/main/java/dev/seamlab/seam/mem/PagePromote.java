// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.mem;

import static dev.seamlab.seam.abi.StatusCode.EPT_INVALID_PROMOTE_CONDITIONS;
import static dev.seamlab.seam.abi.StatusCode.OPERAND_BUSY;
import static dev.seamlab.seam.abi.StatusCode.OPERAND_INVALID;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.sched.Cells;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.SeptEntryState;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.core.Call;
import dev.seamlab.seam.core.LeafHandler;
import dev.seamlab.seam.core.ModuleState;
import dev.seamlab.seam.pamt.PageRef;
import dev.seamlab.seam.pamt.Pamt;
import dev.seamlab.seam.sept.SeptCursor;
import dev.seamlab.seam.sept.SeptEntry;
import dev.seamlab.seam.sept.SeptTable;

/**
 * TDH.MEM.PAGE.PROMOTE: merges 512 pages into one and frees their table; with Dynamic PAMT a
 * promotion to 2M also frees the page pair (facts: sections 1.6 and 5.5).
 */
final class PagePromote implements LeafHandler {
    private final ModuleState state;
    private final MemAccess access;

    PagePromote(ModuleState state, MemAccess access) {
        this.state = state;
        this.access = access;
    }

    @Override
    public long execute(Call call) {
        long info = call.regs().rcx();
        long tdr = call.regs().rdx();
        if (call.version() > 0) {
            call.regs().r9(PageInfo.NULL_PAGE).r10(PageInfo.NULL_PAGE).r11(PageInfo.NULL_PAGE);
        }
        if (call.version() > 1) {
            call.regs().rcx(0).rdx(0);
            return OPERAND_INVALID.with(Operand.RAX);
        }
        long status =
                access.open(
                        call,
                        Leaf.MEM_PAGE_PROMOTE,
                        tdr,
                        PageInfo.LEVEL_2M,
                        PageInfo.LEVEL_1G,
                        true);
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
        if (!isMergeable(at.child())) {
            return MemAccess.refuse(call, EPT_INVALID_PROMOTE_CONDITIONS.with(Operand.RCX));
        }
        status = access.checkInterrupted(call, Leaf.MEM_PAGE_PROMOTE, info, tdr);
        if (status != Status.SUCCESS) {
            return status;
        }
        long merged = SeptEntry.hpa(firstEntry(at.child()));
        PageRef parent = call.extraPage(0);
        if (!state.pamt().lockImplicit(call.locks(), parent, merged, at.level(), true)) {
            return OPERAND_BUSY.with(Operand.RCX);
        }
        merge(call, parent, merged);
        return Status.SUCCESS;
    }

    private void merge(Call call, PageRef parent, long merged) {
        SeptCursor at = call.sept();
        SeptEntryState children = SeptEntry.state(firstEntry(at.child()));
        long septPage = SeptEntry.hpa(at.entry());
        boolean freesPair = state.pamt().dynamic() && at.level() == PageInfo.LEVEL_2M;
        if (freesPair) {
            call.regs().r12(Pamt.page0(parent)).r13(Pamt.page1(parent));
        }
        state.pamt().promote(parent, call.tdr().pfn());
        at.commit(SeptEntry.leaf(merged, children));
        at.table().child(at.index(), null);
        call.tdr().addChildren(-1);
        call.regs().rcx(septPage | call.page().free());
    }

    /** Every child a leaf of the same state, MAPPED or PENDING, contiguous and aligned. */
    private static boolean isMergeable(SeptTable table) {
        long first = firstEntry(table);
        boolean state =
                SeptEntry.is(first, SeptEntryState.MAPPED)
                        || SeptEntry.is(first, SeptEntryState.PENDING);
        long merged = PageInfo.sizeOf(table.level() + 1);
        if (!state || !Addresses.isAligned(SeptEntry.hpa(first), merged)) {
            return false;
        }
        long size = PageInfo.sizeOf(table.level());
        for (int i = 1; i < SeptTable.ENTRIES; i++) {
            long child = entry(table, i);
            if (child != first + i * size) {
                return false;
            }
        }
        return true;
    }

    private static long firstEntry(SeptTable table) {
        return entry(table, 0);
    }

    private static long entry(SeptTable table, int index) {
        long word = Cells.acquire(table.words(), index) & ~SeptEntry.HOST_PRIORITY;
        return SeptEntry.withoutProgress(word, table.level());
    }
}
