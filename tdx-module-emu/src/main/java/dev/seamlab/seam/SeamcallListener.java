// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam;

/**
 * Told of every completed SEAMCALL, on the CPU's own thread. For metrics and tests: it must neither
 * block nor allocate, and it cannot change the outcome.
 */
@FunctionalInterface
public interface SeamcallListener {
    /** Takes no notice. */
    SeamcallListener NONE = (cpu, leaf, status) -> {};

    /**
     * A call is over and its locks are released.
     *
     * @param cpu logical CPU
     * @param leaf leaf number, RAX bits 15:0, known or not
     * @param status completion status
     */
    void completed(int cpu, int leaf, long status);
}
