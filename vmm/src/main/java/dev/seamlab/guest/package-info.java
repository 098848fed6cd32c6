// SPDX-License-Identifier: Apache-2.0
/**
 * Guest programs: what vCPUs execute instead of machine code, and the interpreter that executes it
 * through {@link dev.seamlab.machine.GuestMode}.
 *
 * <p>Uses the machine's contracts and the ABI's numbers, nothing else: a guest knows neither host
 * nor KVM.
 */
@NullMarked
package dev.seamlab.guest;

import org.jspecify.annotations.NullMarked;
