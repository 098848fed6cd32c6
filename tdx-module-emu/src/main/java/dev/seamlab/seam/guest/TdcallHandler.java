// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.guest;

/** One guest-side leaf. Operands come from the guest's registers, results go there. */
@FunctionalInterface
public interface TdcallHandler {
    /**
     * Runs the leaf.
     *
     * @param cpu the CPU in guest mode that executes TDCALL
     * @param version version of the leaf, RAX bits 23:16
     * @return the completion status for the guest's RAX, or {@link GuestCpu#NOT_COMPLETED} when the
     *     instruction left guest mode or raised an exception
     */
    long execute(GuestCpu cpu, int version);
}
