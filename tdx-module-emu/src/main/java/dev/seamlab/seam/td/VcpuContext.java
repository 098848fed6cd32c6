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
    private int pendNmi;
    private boolean newlyAssociated = true;
    private int cpuidSupervisorVe;
    private int cpuidUserVe;
    private long hostPriorityBusySince = NOT_BUSY;

    private final EptFaultLog eptFaults = new EptFaultLog();
    private final FieldOverrides overrides = new FieldOverrides();
    private long initialTsc;
    private boolean launched;

    // The last VM exit as the CPU left it in the VMCS.
    private int exitReason;
    private long exitQualification;
    private @Gpa long exitGpa;

    // Where the guest stands: what it named, and the access that last left guest mode.
    private boolean namesInstructions;
    private long instruction;
    private @Gpa long faultGpa;
    private int faultAccess = -1;

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

    /** PEND_NMI: a byte of the host's; anything but 0 pends an NMI. */
    public int pendNmi() {
        return pendNmi;
    }

    public void pendNmi(int value) {
        pendNmi = value;
    }

    /** Whether no entry happened since the association. */
    public boolean newlyAssociated() {
        return newlyAssociated;
    }

    public void newlyAssociated(boolean value) {
        newlyAssociated = value;
    }

    /** CPUID_SUPERVISOR_VE; a byte, of which the module looks at zero or not. */
    public int cpuidSupervisorVe() {
        return cpuidSupervisorVe;
    }

    public void cpuidSupervisorVe(int value) {
        cpuidSupervisorVe = value;
    }

    /** CPUID_USER_VE; a byte, of which the module looks at zero or not. */
    public int cpuidUserVe() {
        return cpuidUserVe;
    }

    public void cpuidUserVe(int value) {
        cpuidUserVe = value;
    }

    /** EPT violations at the instruction where the guest stands. */
    public EptFaultLog eptFaults() {
        return eptFaults;
    }

    /** Metadata elements that were written and that nothing else keeps. */
    public FieldOverrides overrides() {
        return overrides;
    }

    /** Native time of VP.INIT. */
    public long initialTsc() {
        return initialTsc;
    }

    public void initialTsc(long ticks) {
        initialTsc = ticks;
    }

    /** Whether the vCPU has ever been in guest mode. */
    public boolean launched() {
        return launched;
    }

    /** A VM exit: what the CPU leaves in the VMCS. */
    public void recordExit(int reason, long qualification, @Gpa long gpa) {
        launched = true;
        exitReason = reason;
        exitQualification = qualification;
        exitGpa = gpa;
    }

    /** VMX basic reason of the last VM exit. */
    public int exitReason() {
        return exitReason;
    }

    /** VMX exit qualification of the last VM exit. */
    public long exitQualification() {
        return exitQualification;
    }

    /** Guest physical address of the last VM exit, where its reason has one. */
    public @Gpa long exitGpa() {
        return exitGpa;
    }

    /** Whether the guest names its instructions rather than leaving that to the model. */
    public boolean namesInstructions() {
        return namesInstructions;
    }

    /** The instruction pointer that the guest named last. */
    public long instruction() {
        return instruction;
    }

    /** The guest names the instruction it executes from now on. */
    public void instruction(long pointer) {
        namesInstructions = true;
        instruction = pointer;
    }

    /** Whether this is the access that left guest mode last, executed again. */
    public boolean isFaultingAccess(@Gpa long gpa, int access) {
        return faultAccess == access && faultGpa == gpa;
    }

    /** An access leaves guest mode and will be executed again. */
    public void faultingAccess(@Gpa long gpa, int access) {
        faultGpa = gpa;
        faultAccess = access;
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
