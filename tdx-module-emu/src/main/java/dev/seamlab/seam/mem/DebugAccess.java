// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.mem;

import static dev.seamlab.seam.abi.StatusCode.EPT_ENTRY_NOT_PRESENT;
import static dev.seamlab.seam.abi.StatusCode.EPT_ENTRY_STATE_INCORRECT;
import static dev.seamlab.seam.abi.StatusCode.OPERAND_BUSY;
import static dev.seamlab.seam.abi.StatusCode.OPERAND_INVALID;
import static dev.seamlab.seam.abi.StatusCode.TD_NON_DEBUG;

import dev.seamlab.machine.Addresses;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.core.Call;
import dev.seamlab.seam.core.LeafHandler;
import dev.seamlab.seam.core.ModuleState;
import dev.seamlab.seam.core.TdAccess;
import dev.seamlab.seam.sept.SeptCursor;
import dev.seamlab.seam.sept.SeptEntry;
import dev.seamlab.seam.sept.SeptRules;
import dev.seamlab.seam.td.Tdcs;

/** TDH.MEM.RD and TDH.MEM.WR: eight bytes of a debug TD's memory (facts: section 1.6). */
final class DebugAccess implements LeafHandler {
    private final ModuleState state;
    private final TdAccess tds;
    private final Leaf leaf;

    DebugAccess(ModuleState state, TdAccess tds, Leaf leaf) {
        this.state = state;
        this.tds = tds;
        this.leaf = leaf;
    }

    @Override
    public long execute(Call call) {
        long gpa = call.regs().rcx();
        long tdr = call.regs().rdx();
        long data = call.regs().r8();
        call.regs().rcx(0).rdx(0).r8(0);
        long status = tds.byTdr(call, tdr, Operand.RDX, false);
        if (status == Status.SUCCESS) {
            status = tds.checkState(call, leaf, true);
        }
        if (status != Status.SUCCESS) {
            return status;
        }
        Tdcs tdcs = call.tdcs();
        if (!tdcs.config().isDebug()) {
            return TD_NON_DEBUG.word();
        }
        if (!Addresses.isAligned(gpa, Long.BYTES)) {
            return OPERAND_INVALID.with(Operand.RCX);
        }
        if (!call.locks().share(tdcs.locks(), Tdcs.SEPT_TREE_LOCK)) {
            return OPERAND_BUSY.with(Operand.SEPT_TREE);
        }
        if (!tdcs.config().isPrivate(gpa)) {
            return OPERAND_INVALID.with(Operand.RCX);
        }
        SeptCursor at = call.sept();
        at.walk(tdcs.septRoot(), gpa, PageInfo.LEVEL_4K);
        if (!SeptEntry.isLeaf(at.entry()) || !SeptEntry.isAccessible(at.entry())) {
            return MemAccess.refuse(call, EPT_ENTRY_NOT_PRESENT.with(Operand.RCX));
        }
        if (!at.lock()) {
            return MemAccess.refuse(call, OPERAND_BUSY.with(Operand.RCX));
        }
        if (!SeptRules.allows(leaf, SeptEntry.state(at.entry()))) {
            return MemAccess.refuse(call, EPT_ENTRY_STATE_INCORRECT.with(Operand.RCX));
        }
        long size = PageInfo.sizeOf(at.level());
        long hpa = SeptEntry.leafHpa(at.entry(), at.level()) + (gpa & (size - 1));
        call.regs().r8(state.memory().readLong(hpa));
        if (leaf == Leaf.MEM_WR) {
            state.memory().writeLong(hpa, data);
        }
        return Status.SUCCESS;
    }
}
