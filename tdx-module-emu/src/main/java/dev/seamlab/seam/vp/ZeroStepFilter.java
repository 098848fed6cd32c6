// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.vp;

import static dev.seamlab.seam.abi.StatusCode.OPERAND_BUSY;

import dev.seamlab.machine.Gpa;
import dev.seamlab.seam.abi.ExitReason;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.SeptEntryState;
import dev.seamlab.seam.core.Call;
import dev.seamlab.seam.guest.TdExit;
import dev.seamlab.seam.sept.SeptCursor;
import dev.seamlab.seam.sept.SeptEntry;
import dev.seamlab.seam.td.EptFaultLog;
import dev.seamlab.seam.td.TdControls;
import dev.seamlab.seam.td.Tdcs;
import dev.seamlab.seam.td.Tdvps;

/**
 * What VP.ENTER does about a vCPU whose guest cannot get on (facts: module ABI sections 1.5 and
 * 2.4): as long as one of the pages that it was seen to need would fault again, the guest does not
 * run, not even for the one instruction, and the host sees the fault all the same. Afterwards the
 * guest is told if it asked to be.
 *
 * <p>The vCPU is counted in its epoch when the filter runs, and is taken out again where the filter
 * ends the entry.
 */
final class ZeroStepFilter {
    /** The vCPU may run. No status looks so: class 0xFF belongs to software. */
    static final long PASS = -1;

    private static final long NOTIFY_EPT_FAULTS = 1;
    private static final long RIGHTS = 0x7;

    /** Category of the exception: as the CPU itself would raise it. */
    private static final int ARCHITECTURAL = 0;

    private static final long INSTRUCTION_LENGTH = 4;

    private ZeroStepFilter() {}

    /** {@link #PASS}, or what VP.ENTER answers. */
    static long check(Call call) {
        Tdcs tdcs = call.tdcs();
        EptFaultLog faults = call.tdvps().context().eptFaults();
        if (!call.locks().share(tdcs.locks(), Tdcs.SEPT_TREE_LOCK)) {
            leaveEpoch(call);
            return OPERAND_BUSY.with(Operand.SEPT_TREE);
        }
        long answer = PASS;
        for (int i = 0; i < faults.listed() && answer == PASS; i++) {
            @Gpa long gpa = faults.address(i);
            if (wouldFault(call.sept(), tdcs, gpa)) {
                leaveEpoch(call);
                TdExit.emulatedEptViolation(call, gpa);
                answer = ExitReason.EPT_VIOLATION;
            }
        }
        call.locks().release(tdcs.locks(), Tdcs.SEPT_TREE_LOCK);
        return answer;
    }

    /**
     * Whether the guest is to be told, by a virtualization exception with what the last exit was
     * about. Stores the information that comes with it.
     */
    static boolean notifies(Tdvps vcpu, Tdcs tdcs) {
        var context = vcpu.context();
        boolean asked = (tdcs.controls().notifyEnables() & NOTIFY_EPT_FAULTS) != 0;
        boolean privateFault =
                context.exitReason() == ExitReason.EPT_VIOLATION
                        && (context.exitGpa() & tdcs.config().sharedBit()) == 0;
        if (!asked || !privateFault || context.veValid()) {
            return false;
        }
        context.raiseVe(
                ExitReason.EPT_VIOLATION,
                ARCHITECTURAL,
                context.exitQualification(),
                0,
                context.exitGpa(),
                INSTRUCTION_LENGTH);
        return true;
    }

    /**
     * A pending page raises #VE in the guest, unless the TD wants an exit: no fault of the host.
     */
    private static boolean wouldFault(SeptCursor sept, Tdcs tdcs, @Gpa long gpa) {
        sept.walk(tdcs.septRoot(), gpa, PageInfo.LEVEL_4K);
        long entry = sept.entry();
        if (SeptEntry.isLeaf(entry) && (entry & RIGHTS) == RIGHTS) {
            return false;
        }
        boolean pending =
                SeptEntry.is(entry, SeptEntryState.PENDING)
                        || SeptEntry.is(entry, SeptEntryState.PENDING_EXPORTED_DIRTY);
        boolean exits = (tdcs.controls().tdCtls() & TdControls.PENDING_VE_DISABLE) != 0;
        return !pending || exits;
    }

    private static void leaveEpoch(Call call) {
        long epoch = call.tdvps().context().epoch();
        call.tdcs().epoch().leave(call.cpu().index(), epoch);
    }
}
