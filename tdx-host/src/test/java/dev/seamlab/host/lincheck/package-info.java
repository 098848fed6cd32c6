// SPDX-License-Identifier: Apache-2.0
/**
 * Random programs for two or three threads on the lock-free parts, compared by Lincheck with what
 * the same operations answer one at a time on paper. Uses the seam, the module's locks and the
 * host's counters.
 */
package dev.seamlab.host.lincheck;
