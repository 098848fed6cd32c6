// SPDX-License-Identifier: Apache-2.0
/**
 * A logical CPU in TDX non-root mode: the loop that runs a vCPU's guest code, what its memory
 * accesses find, which VM exits become TD exits and which exceptions for the guest (facts: module
 * ABI sections 2.3 and 2.4). The TDCALL leaves stand in {@code seam.tdg} and reach the vCPU through
 * {@link dev.seamlab.seam.guest.GuestCpu}; this package knows them as {@link
 * dev.seamlab.seam.guest.Tdcalls} only.
 *
 * <p>While a guest runs, its logical CPU holds the TDVPR walk and the TDR share-locked; nothing
 * here takes a lock that it keeps beyond one instruction.
 */
@NullMarked
package dev.seamlab.seam.guest;

import org.jspecify.annotations.NullMarked;
