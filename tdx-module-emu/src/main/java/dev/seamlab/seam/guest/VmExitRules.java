// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.guest;

import java.util.Arrays;

/**
 * What the module makes of a VM exit, by basic exit reason. A reason without a row is one that the
 * module has configured the CPU not to report: it ends the TD, or exits from a debug TD.
 *
 * <p>Not modelled, and therefore answered with an exception where a real module might emulate the
 * instruction: virtual CPUID values and MSRs (always #VE), writes to control registers and XSETBV
 * (always #GP).
 */
enum VmExitRules {
    /** The instruction is the guest's to emulate: #VE. */
    PARAVIRTUAL,
    /** The same, while the TD is configured so. */
    CONFIGURED_PARAVIRTUAL,
    /** #VE without qualification. */
    MSR_ACCESS,
    /** The instruction does not exist in a TD: #UD. */
    INVALID_OPCODE,
    /** The instruction is not allowed: #GP(0). */
    GENERAL_PROTECTION,
    /** TD exit. */
    EXIT,
    /** TD exit that reports the interruption information as well. */
    EXIT_WITH_EVENT,
    /** The same; one that signals a machine check ends the TD. */
    SMI,
    /** TD exit; if it left the guest's state in pieces, it ends the TD. */
    NOTIFICATION,
    /** An NMI that waits for the guest can go in. */
    NMI_WINDOW,
    /** TD exit, and the vCPU never runs again. */
    TRIPLE_FAULT,
    /** TD exit for an NMI; a machine check ends the TD. */
    EXCEPTION_OR_NMI,
    /** Depends on the Secure EPT. */
    EPT_VIOLATION,
    /** TD exit for shared addresses. */
    EPT_MISCONFIGURATION,
    /** A guest-side leaf. */
    TDCALL,
    /** Ends the TD. */
    UNEXPECTED;

    private static final VmExitRules[] BY_REASON = new VmExitRules[128];

    static {
        Arrays.fill(BY_REASON, UNEXPECTED);
        // HLT, INVD, VMCALL, IO, WBINVD, APIC write
        rows(PARAVIRTUAL, 12, 13, 18, 30, 54, 56);
        // CPUID, PCONFIG
        rows(CONFIGURED_PARAVIRTUAL, 10, 65);
        rows(MSR_ACCESS, 31, 32);
        // GETSEC, RSM, VMX instructions, MWAIT, MONITOR, INVEPT, INVVPID, VMFUNC, ENCLS, ENCLV,
        // ENQCMDS, SEAMCALL
        rows(
                INVALID_OPCODE,
                11,
                17,
                19,
                20,
                21,
                22,
                23,
                24,
                25,
                26,
                27,
                36,
                39,
                50,
                53,
                59,
                60,
                70,
                73,
                76);
        // RDPMC, control registers, XSETBV, ENQCMD
        rows(GENERAL_PROTECTION, 15, 28, 55, 72);
        // INIT, task switch, bus lock
        rows(EXIT, 3, 9, 74);
        rows(NOTIFICATION, 75);
        // external interrupt, SMI in a C-state
        rows(EXIT_WITH_EVENT, 1, 42);
        rows(SMI, 6);
        rows(NMI_WINDOW, 8);
        rows(TRIPLE_FAULT, 2);
        rows(EXCEPTION_OR_NMI, 0);
        rows(EPT_VIOLATION, 48);
        rows(EPT_MISCONFIGURATION, 49);
        rows(TDCALL, 77);
    }

    /** The row of a basic exit reason. */
    static VmExitRules of(int reason) {
        return reason >= 0 && reason < BY_REASON.length ? BY_REASON[reason] : UNEXPECTED;
    }

    private static void rows(VmExitRules rule, int... reasons) {
        for (int reason : reasons) {
            BY_REASON[reason] = rule;
        }
    }
}
