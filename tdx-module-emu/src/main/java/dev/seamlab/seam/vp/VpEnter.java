// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.vp;

import static dev.seamlab.seam.abi.StatusCode.OPERAND_BUSY;
import static dev.seamlab.seam.abi.StatusCode.OPERAND_INVALID;
import static dev.seamlab.seam.abi.StatusCode.TDCX_NUM_INCORRECT;
import static dev.seamlab.seam.abi.StatusCode.VCPU_ASSOCIATED;
import static dev.seamlab.seam.abi.StatusCode.VCPU_STATE_INCORRECT;

import dev.seamlab.machine.LogicalCpu;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.VcpuState;
import dev.seamlab.seam.core.Call;
import dev.seamlab.seam.core.LeafHandler;
import dev.seamlab.seam.core.ModuleState;
import dev.seamlab.seam.core.TdAccess;
import dev.seamlab.seam.guest.GuestCpu;
import dev.seamlab.seam.guest.Tdcalls;
import dev.seamlab.seam.td.Tdvps;
import dev.seamlab.seam.td.TlbEpoch;
import dev.seamlab.seam.td.VcpuContext.LastExit;
import java.util.List;

/**
 * TDH.VP.ENTER: runs a vCPU on the calling logical CPU until an event leads out (facts: module ABI
 * section 1.5).
 *
 * <p>While the guest runs, the call holds what it took to find the vCPU: the walk to the TDVPR (1G
 * and 2M entries and the page itself) and the TDR, all shared. So host leaves that want the TDR or
 * the TDVPR alone are BUSY, and so are those that want one of the 2M entries. The operation state
 * is held until the entry only.
 *
 * <p>Checks of the platform (MISC_ENABLE, TSC_ADJUST, TSC, MONITOR FSM) always pass: the machine
 * has no such registers. Defences against single-stepping by interrupts are not modelled, for the
 * model's interrupts come between instructions.
 */
final class VpEnter implements LeafHandler {
    private static final long HOST_RECOVERABILITY_HINT = 1L << 52;
    private static final long RESUME_L1 = 1L << 53;
    private static final long TDVPR = 0x000F_FFFF_FFFF_F000L;

    private final TdAccess tds;
    private final VcpuAssociation association;
    private final GuestCpu[] cpus;

    VpEnter(ModuleState state, TdAccess tds, VcpuAssociation association, Tdcalls leaves) {
        this.tds = tds;
        this.association = association;
        List<LogicalCpu> all = state.machine().cpus();
        this.cpus = new GuestCpu[all.size()];
        for (int i = 0; i < cpus.length; i++) {
            cpus[i] = new GuestCpu(state, all.get(i), leaves);
        }
    }

    @Override
    public long execute(Call call) {
        long operand = call.regs().rcx();
        if ((operand & ~(TDVPR | HOST_RECOVERABILITY_HINT | RESUME_L1)) != 0) {
            return OPERAND_INVALID.with(Operand.RCX);
        }
        long tdvpr = operand & TDVPR;
        boolean epochHeld = isExpected(call, tdvpr) && tds.vcpuAgain(call, Leaf.VP_ENTER, tdvpr);
        long status = epochHeld ? Status.SUCCESS : find(call, tdvpr);
        if (status != Status.SUCCESS) {
            return status;
        }
        status = associate(call);
        if (status != Status.SUCCESS) {
            return status;
        }
        boolean hint = (operand & HOST_RECOVERABILITY_HINT) != 0;
        Tdvps vcpu = call.tdvps();
        if (hint && vcpu.context().lastExit() != LastExit.ASYNC_TRAP) {
            return OPERAND_INVALID.with(Operand.RCX);
        }
        if ((operand & RESUME_L1) != 0) {
            // There is no L2 VM that could have exited.
            return OPERAND_INVALID.with(Operand.RCX);
        }
        TlbEpoch tracking = call.tdcs().epoch();
        if (!epochHeld && !call.locks().share(tracking.words(), TlbEpoch.LOCK)) {
            return OPERAND_BUSY.with(Operand.TD_EPOCH);
        }
        enterEpoch(call, tracking);
        boolean notify = false;
        if (vcpu.context().eptFaults().listed() != 0) {
            long filtered = ZeroStepFilter.check(call);
            if (filtered != ZeroStepFilter.PASS) {
                return filtered;
            }
            notify = ZeroStepFilter.notifies(vcpu, call.tdcs());
        }
        // The two locks taken last: the operation state's and the epoch's.
        call.locks().releaseTo(call.locks().mark() - 2);
        vcpu.state(VcpuState.ACTIVE);
        GuestCpu.complete(vcpu, call.regs(), hint);
        cpus[call.cpu().index()].run(notify);
        return call.regs().rax();
    }

    /**
     * Whether the vCPU that this CPU found last is wanted, and looks as if it could be entered here
     * once more: a call that fails does not come as far as to the epoch's lock.
     */
    private static boolean isExpected(Call call, long tdvpr) {
        Tdvps vcpu = call.lastVcpu();
        return vcpu != null
                && vcpu.hpa() == tdvpr
                && vcpu.state() == VcpuState.READY
                && vcpu.associatedCpu() == call.cpu().index();
    }

    private long find(Call call, long tdvpr) {
        long status = tds.byTdvpr(call, tdvpr, Operand.RCX, false, false);
        return status == Status.SUCCESS ? tds.checkState(call, Leaf.VP_ENTER, true) : status;
    }

    /**
     * The vCPU must be ready, and bound to no other CPU. Two CPUs that come at once both see it
     * ready; the association decides. It stays even if a later check fails.
     */
    private long associate(Call call) {
        Tdvps vcpu = call.tdvps();
        if (!association.hasAllPages(vcpu, call.tdcs())) {
            return TDCX_NUM_INCORRECT.word();
        }
        VcpuState now = vcpu.state();
        if (now != VcpuState.READY) {
            return VCPU_STATE_INCORRECT.withDetail(now.code());
        }
        return association.associate(vcpu, call.tdcs(), call.cpu())
                ? Status.SUCCESS
                : VCPU_ASSOCIATED.word();
    }

    /**
     * Counts the vCPU in the epoch that is current, which the lock keeps current meanwhile. Where
     * the epoch is a new one for this vCPU, hardware would flush its translations; there are none
     * here.
     */
    private static void enterEpoch(Call call, TlbEpoch tracking) {
        long epoch = tracking.epoch();
        tracking.enter(call.cpu().index(), epoch);
        call.tdvps().context().epoch(epoch);
        call.tdvps().context().newlyAssociated(false);
    }
}
