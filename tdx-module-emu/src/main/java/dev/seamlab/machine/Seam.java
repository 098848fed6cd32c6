// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.machine;

/** Firmware in SEAM mode, as the SEAMCALL instruction reaches it: registers in, registers out. */
@FunctionalInterface
public interface Seam {
    /**
     * Runs one SEAMCALL on a logical CPU.
     *
     * @param cpu the CPU that executes the instruction; one call at a time per CPU
     * @param regs operands in, results out; RAX is set to the returned status word
     * @return the completion status (RAX)
     */
    long call(LogicalCpu cpu, Registers regs);
}
