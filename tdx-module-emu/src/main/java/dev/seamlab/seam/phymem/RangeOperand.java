// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.phymem;

import static dev.seamlab.seam.abi.StatusCode.OPERAND_INVALID;

import dev.seamlab.machine.Addresses;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.core.ModuleState;

/** RCX of PAMT.ADD and PAMT.REMOVE: a 2M range and its level (facts: section 5.3). */
final class RangeOperand {
    private RangeOperand() {}

    /**
     * Whether Dynamic PAMT is on at all, then the operand's format. An address above MAXPA passes
     * here and is found to lie in no region later, as in the module.
     */
    static long check(ModuleState state, long rcx) {
        if (!state.pamt().dynamic()) {
            return OPERAND_INVALID.with(Operand.RAX);
        }
        boolean valid =
                PageInfo.reservedBitsAreZero(rcx)
                        && PageInfo.level(rcx) == PageInfo.LEVEL_2M
                        && state.addresses().hasNoHkid(PageInfo.address(rcx))
                        && Addresses.isAligned(PageInfo.address(rcx), Addresses.RANGE_SIZE);
        return valid ? Status.SUCCESS : OPERAND_INVALID.with(Operand.RCX);
    }
}
