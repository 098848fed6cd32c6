// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.machine;

/**
 * A logical CPU in TDX non-root mode, as the guest sees it. Used only by the thread that runs the
 * vCPU, inside {@link GuestCode#step}.
 */
public interface GuestMode {
    /** How an instruction ended. */
    enum Outcome {
        /** It completed. */
        DONE,
        /** The vCPU left guest mode; the instruction runs again after the next entry. */
        EXITED,
        /** A virtualization exception was injected; TDG.VP.VEINFO.GET tells why. */
        VIRTUALIZATION_EXCEPTION,
        /** A general-protection fault was injected. */
        GENERAL_PROTECTION,
        /**
         * Another exception was injected: invalid opcode, page fault, or the double fault that a
         * virtualization exception becomes while the information of the one before waits.
         */
        EXCEPTION
    }

    /** How memory is touched. */
    enum Access {
        READ,
        WRITE,
        EXECUTE
    }

    /** The guest's general-purpose registers; they survive exits. */
    Registers gprs();

    /** Touches a guest page without moving data. Allocates nothing. */
    Outcome touch(@Gpa long gpa, Access access);

    /** Reads guest memory that does not cross a 4K page. */
    Outcome read(@Gpa long gpa, byte[] into, int at, int length);

    /** Writes guest memory that does not cross a 4K page. */
    Outcome write(@Gpa long gpa, byte[] from, int at, int length);

    /**
     * Executes TDCALL with the operands in {@link #gprs}. For TDG.VP.VMCALL the outcome is {@link
     * Outcome#EXITED} and the instruction <em>is</em> complete: the host's answer stands in the
     * registers at the next step.
     */
    Outcome tdcall();

    /**
     * Reports a VM exit that the hardware would raise at this point (triple fault, external
     * interrupt, HLT, ...). What it becomes, a TD exit or a virtualization exception, is the
     * module's decision.
     *
     * @param reason VMX basic exit reason
     * @param qualification VMX exit qualification
     * @param gpa guest physical address, where the reason has one
     * @param interruptionInfo VMX interruption information, or 0
     */
    Outcome vmExit(int reason, long qualification, @Gpa long gpa, long interruptionInfo);

    /**
     * Names the instruction that the next calls belong to. A guest need not; but where one
     * instruction touches several pages, only it knows that they are one, and the module looks at
     * how often the same instruction cannot get on. Once a guest has named an instruction it is
     * asked to name them all.
     *
     * @param pointer any number; two instructions in a row have different ones
     */
    void instructionPointer(long pointer);
}
