// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.core;

/**
 * One leaf. Reads operands from the call's registers, writes results there and returns the
 * completion status. All refusals stand before the first write to anything but output registers.
 * Locks go through {@link Call#locks}; the dispatcher gives them back.
 */
@FunctionalInterface
public interface LeafHandler {
    /** Runs the leaf. */
    long execute(Call call);
}
