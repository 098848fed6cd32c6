// SPDX-License-Identifier: Apache-2.0
/**
 * The scheduling seam: every lock, shared word, wait, thread and clock reading of the module, the
 * host and KVM goes through these few types, so that real threads, a deterministic explorer and a
 * simulated clock can drive the same production classes.
 *
 * <p>The lock order of the house stands in {@link dev.seamlab.machine.sched.LockRank}.
 */
@NullMarked
package dev.seamlab.machine.sched;

import org.jspecify.annotations.NullMarked;
