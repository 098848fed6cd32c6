// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.td;

import dev.seamlab.machine.Gpa;

/**
 * State of a vCPU beside its general-purpose registers: pending virtualization exception, epoch of
 * its last entry, last exit. Used by the logical CPU that runs the vCPU.
 */
public final class VcpuContext {
    /** How the last run ended; decides what the next VP.ENTER may ask for. */
    public enum LastExit {
        ASYNC_FAULT,
        ASYNC_TRAP,
        TDVMCALL
    }

    /** No guest-side lock is being lost to a host that waits. */
    public static final long NOT_BUSY = Long.MIN_VALUE;

    private long epoch;
    private LastExit lastExit = LastExit.ASYNC_FAULT;
    private boolean pendingNmi;
    private boolean newlyAssociated = true;
    private int cpuidVe;
    private long hostPriorityBusySince = NOT_BUSY;

    // VMCS fields that the host owns.
    private long sharedEptp;
    private long postedInterruptDescriptor;
    private long postedInterruptVector;

    // #VE information; valid until TDG.VP.VEINFO.GET takes it.
    private boolean veValid;
    private long veReason;
    private int veCategory;
    private long veQualification;
    private long veGla;
    private @Gpa long veGpa;
    private long veInstruction;

    /** VCPU_EPOCH: epoch of the last entry. */
    public long epoch() {
        return epoch;
    }

    public void epoch(long value) {
        epoch = value;
    }

    /** LAST_TD_EXIT. */
    public LastExit lastExit() {
        return lastExit;
    }

    public void lastExit(LastExit value) {
        lastExit = value;
    }

    /** PEND_NMI. */
    public boolean pendingNmi() {
        return pendingNmi;
    }

    public void pendingNmi(boolean value) {
        pendingNmi = value;
    }

    /** Shared EPT pointer. */
    public long sharedEptp() {
        return sharedEptp;
    }

    public void sharedEptp(long value) {
        sharedEptp = value;
    }

    /** Address of the posted-interrupt descriptor. */
    public long postedInterruptDescriptor() {
        return postedInterruptDescriptor;
    }

    public void postedInterruptDescriptor(long value) {
        postedInterruptDescriptor = value;
    }

    /** Posted-interrupt notification vector. */
    public long postedInterruptVector() {
        return postedInterruptVector;
    }

    public void postedInterruptVector(long value) {
        postedInterruptVector = value;
    }

    /** Whether no entry happened since the association. */
    public boolean newlyAssociated() {
        return newlyAssociated;
    }

    public void newlyAssociated(boolean value) {
        newlyAssociated = value;
    }

    /** CPUID_SUPERVISOR_VE in bit 0, CPUID_USER_VE in bit 1. */
    public int cpuidVe() {
        return cpuidVe;
    }

    public void cpuidVe(int flags) {
        cpuidVe = flags;
    }

    /** Time at which the guest first lost a lock to host priority, or {@link #NOT_BUSY}. */
    public long hostPriorityBusySince() {
        return hostPriorityBusySince;
    }

    public void hostPriorityBusySince(long nanos) {
        hostPriorityBusySince = nanos;
    }

    /** Stores #VE information. */
    public void raiseVe(
            long reason,
            int category,
            long qualification,
            long gla,
            @Gpa long gpa,
            long instruction) {
        veValid = true;
        veReason = reason;
        veCategory = category;
        veQualification = qualification;
        veGla = gla;
        veGpa = gpa;
        veInstruction = instruction;
    }

    /** Whether #VE information waits; a second #VE meanwhile is a fault. */
    public boolean veValid() {
        return veValid;
    }

    /** The information was taken. */
    public void clearVe() {
        veValid = false;
    }

    public long veReason() {
        return veReason;
    }

    public int veCategory() {
        return veCategory;
    }

    public long veQualification() {
        return veQualification;
    }

    public long veGla() {
        return veGla;
    }

    public @Gpa long veGpa() {
        return veGpa;
    }

    /** Instruction length in bits 31:0, information in bits 63:32. */
    public long veInstruction() {
        return veInstruction;
    }
}
