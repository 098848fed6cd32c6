// SPDX-License-Identifier: Apache-2.0
/**
 * What two real CPUs may see of the lock-free parts, tried by jcstress; {@link
 * dev.seamlab.host.litmus.LitmusTest} runs all. Uses the seam, the module's locks and the host's
 * counters.
 */
package dev.seamlab.host.litmus;
