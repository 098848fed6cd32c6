// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.mr;

import static dev.seamlab.seam.abi.StatusCode.EPT_ENTRY_NOT_PRESENT;
import static dev.seamlab.seam.abi.StatusCode.OPERAND_INVALID;

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
import dev.seamlab.seam.td.Measurement;

/** TDH.MR.EXTEND: 256 bytes of a page into the measurement (facts: section 10.1). */
final class MrExtend implements LeafHandler {
    private final ModuleState state;
    private final TdAccess tds;

    MrExtend(ModuleState state, TdAccess tds) {
        this.state = state;
        this.tds = tds;
    }

    @Override
    public long execute(Call call) {
        long gpa = call.regs().rcx();
        long tdr = call.regs().rdx();
        call.regs().rcx(0).rdx(0);
        long status = tds.byTdr(call, tdr, Operand.RDX, true);
        if (status == Status.SUCCESS) {
            status = tds.checkState(call, Leaf.MR_EXTEND, false);
        }
        if (status != Status.SUCCESS) {
            return status;
        }
        if (!Addresses.isAligned(gpa, Measurement.CHUNK) || !call.tdcs().config().isPrivate(gpa)) {
            return OPERAND_INVALID.with(Operand.RCX);
        }
        SeptCursor at = call.sept();
        at.walk(call.tdcs().septRoot(), gpa, PageInfo.LEVEL_4K);
        long entry = at.entry();
        if (!SeptEntry.isLeaf(entry) || !SeptEntry.isAccessible(entry)) {
            call.regs().rcx(SeptEntry.architecturalView(entry));
            call.regs().rdx(SeptEntry.architecturalInfo(entry, at.level()));
            return EPT_ENTRY_NOT_PRESENT.with(Operand.RCX);
        }
        if (!SeptRules.allows(Leaf.MR_EXTEND, SeptEntry.state(entry))) {
            return EPT_ENTRY_NOT_PRESENT.word();
        }
        long size = PageInfo.sizeOf(at.level());
        long hpa = SeptEntry.leafHpa(entry, at.level()) + (gpa & (size - 1));
        state.memory().read(hpa, call.buffer(), 0, Measurement.CHUNK);
        call.tdcs().measurement().extend(gpa, call.buffer());
        return Status.SUCCESS;
    }
}
