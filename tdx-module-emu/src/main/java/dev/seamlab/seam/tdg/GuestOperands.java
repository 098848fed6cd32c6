// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.tdg;

import static dev.seamlab.seam.abi.StatusCode.OPERAND_BUSY;
import static dev.seamlab.seam.abi.StatusCode.OPERAND_BUSY_HOST_PRIORITY;

import dev.seamlab.machine.Addresses;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.SeptEntryState;
import dev.seamlab.seam.lock.SharexLock;
import dev.seamlab.seam.sept.SeptEntry;

/** What guest-side leaves that name a page have in common. */
final class GuestOperands {
    private GuestOperands() {}

    /** Format of an address with a level, 0 to {@code maxLevel} (facts: section 1.3). */
    static boolean isPageInfo(long operand, int maxLevel) {
        int level = PageInfo.level(operand);
        return PageInfo.reservedBitsAreZero(operand)
                && level <= maxLevel
                && Addresses.isAligned(PageInfo.address(operand), PageInfo.sizeOf(level));
    }

    /** Status for a guest-side lock that was not to be had; the dispatcher tells the two apart. */
    static long busy(int outcome, Operand operand) {
        return (outcome == SharexLock.HOST_PRIORITY_BUSY
                        ? OPERAND_BUSY_HOST_PRIORITY
                        : OPERAND_BUSY)
                .with(operand);
    }

    /** Whether an entry points at nothing. */
    static boolean isFree(long entry) {
        return SeptEntry.is(entry, SeptEntryState.FREE)
                || SeptEntry.is(entry, SeptEntryState.REMOVED);
    }
}
