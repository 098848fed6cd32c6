// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.guest;

import dev.seamlab.machine.Registers;
import dev.seamlab.seam.abi.ExitReason;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.StatusCode;
import dev.seamlab.seam.abi.VcpuState;
import dev.seamlab.seam.core.Call;
import dev.seamlab.seam.td.TdConfig;
import dev.seamlab.seam.td.Tdcs;
import dev.seamlab.seam.td.Tdvps;
import dev.seamlab.seam.td.VcpuContext.LastExit;

/**
 * The way out of a TD: what the host finds in its registers after VP.ENTER, and the books that the
 * entry opened (facts: module ABI sections 2.3 and 2.4). The locks of the entry go back when the
 * SEAMCALL ends, after the books are closed.
 */
public final class TdExit {
    private static final long NON_RECOVERABLE = 1L << 62;
    private static final long FATAL = 1L << 61;
    private static final long HOST_RECOVERABILITY_HINT = 1L << 60;

    /** RCX: exit qualification; bits 33:32 are the VM, and this module has L1 only. */
    private static final long VM_BITS = 0x3L << 32;

    private TdExit() {}

    /**
     * An event that the guest did not ask for.
     *
     * @param how SUCCESS, or why the vCPU or the TD does not go on
     * @param reason VMX basic exit reason
     */
    static void asynchronous(
            Call call,
            StatusCode how,
            int reason,
            long qualification,
            long extendedQualification,
            long gpa,
            long interruptionInfo) {
        long status = how.word();
        Registers host = call.regs();
        clear(host, call.tdcs());
        host.rax(status | (reason & ~Status.CODE_MASK));
        host.rcx(qualification & ~VM_BITS);
        host.rdx(extendedQualification);
        host.r8(gpa);
        host.r9(interruptionInfo);
        Tdvps vcpu = call.tdvps();
        if ((status & FATAL) != 0) {
            // The vCPU keeps the state it has; nothing will ask for it again.
            call.tdr().setFatal();
        } else if ((status & NON_RECOVERABLE) != 0) {
            vcpu.state(VcpuState.DISABLED);
        } else {
            vcpu.context()
                    .lastExit(
                            (status & HOST_RECOVERABILITY_HINT) != 0
                                    ? LastExit.ASYNC_TRAP
                                    : LastExit.ASYNC_FAULT);
            vcpu.state(VcpuState.READY);
        }
        if (how != StatusCode.NON_RECOVERABLE_TD_NON_ACCESSIBLE) {
            call.tdcs().epoch().leave(call.cpu().index(), vcpu.context().epoch());
        }
    }

    /**
     * VP.ENTER does not run the vCPU, because a page that the guest needs would fault again: the
     * host sees a write to it. The epoch is given back by the caller.
     */
    public static void emulatedEptViolation(Call call, long gpa) {
        Registers host = call.regs();
        clear(host, call.tdcs());
        host.rax(ExitReason.EPT_VIOLATION);
        host.rcx(ExitReason.QUALIFICATION_WRITE);
        host.r8(GuestPages.pageOf(gpa));
        call.tdvps().context().lastExit(LastExit.ASYNC_FAULT);
    }

    /** TDG.VP.VMCALL: the selected registers go to the host, the others are hidden from it. */
    static void vmcall(Call call, long selected) {
        Tdvps vcpu = call.tdvps();
        Registers host = call.regs();
        Registers guest = vcpu.gprs();
        clear(host, call.tdcs());
        for (int i = Registers.RDX; i < Registers.COUNT; i++) {
            if ((selected >>> i & 1) != 0) {
                host.set(i, guest.get(i));
            }
        }
        host.rax(ExitReason.TDCALL);
        host.rcx(selected);
        vcpu.context().lastExit(LastExit.TDVMCALL);
        vcpu.state(VcpuState.READY);
        call.tdcs().epoch().leave(call.cpu().index(), vcpu.context().epoch());
    }

    /** The other half of {@link #vmcall}, at the next entry: the host's answer. */
    static void answerVmcall(Registers guest, Registers host) {
        long selected = guest.rcx();
        for (int i = Registers.RDX; i < Registers.COUNT; i++) {
            if ((selected >>> i & 1) != 0) {
                guest.set(i, host.get(i));
            }
        }
        guest.rax(Status.SUCCESS);
    }

    /** After a trap-like exit: the guest's status gets the hint that the host gave. */
    static void answerTrap(Registers guest, boolean hint) {
        long status = guest.rax() & ~HOST_RECOVERABILITY_HINT;
        guest.rax(hint ? status | HOST_RECOVERABILITY_HINT : status);
    }

    /** Everything the host could read something from; RSP is the host's own throughout. */
    private static void clear(Registers host, Tdcs tdcs) {
        boolean keepRbp = (tdcs.config().configFlags() & TdConfig.FLAG_NO_RBP_MOD) != 0;
        long rsp = host.get(Registers.RSP);
        long rbp = keepRbp ? host.get(Registers.RBP) : 0;
        host.clear();
        host.set(Registers.RSP, rsp);
        host.set(Registers.RBP, rbp);
    }
}
