// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.machine;

/**
 * What a vCPU executes: the model's stand-in for the instructions in guest memory. The emulator
 * does not execute machine code; it asks this object for one "instruction" at a time.
 */
@FunctionalInterface
public interface GuestCode {
    /**
     * Executes one instruction. When an instruction leaves guest mode before it completes (an EPT
     * violation), the next call has to execute the same one again, as a CPU restarts it.
     *
     * @param cpu the CPU in guest mode; valid only during this call
     */
    void step(GuestMode cpu);
}
