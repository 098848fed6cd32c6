// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.tdg;

import static dev.seamlab.seam.abi.StatusCode.OPERAND_INVALID;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Registers;
import dev.seamlab.seam.abi.FieldId;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.guest.GuestCpu;

/**
 * Leaves that speak of L2 VMs or of service TDs. A TD of this module has neither, so what can be
 * named never exists and the answer is the one for a name that does not. The order of checks in the
 * service-TD leaves is a guess.
 */
final class NestedLeaves {
    private static final long STATE_ALIGNMENT = 256;

    private NestedLeaves() {}

    /** TDG.VP.ENTER: the guest state must lie in private memory; no VM number is valid. */
    static long vpEnter(GuestCpu cpu, int version) {
        long guestState = cpu.gprs().rdx();
        boolean valid =
                Addresses.isAligned(guestState, STATE_ALIGNMENT)
                        && cpu.config().isPrivate(guestState);
        return OPERAND_INVALID.with(valid ? Operand.RCX : Operand.RDX);
    }

    /** TDG.VP.INVEPT: a mask of L2 VMs, of which only the empty one is valid. */
    static long invept(GuestCpu cpu, int version) {
        return cpu.gprs().rcx() == 0 ? Status.SUCCESS : OPERAND_INVALID.with(Operand.RCX);
    }

    /** TDG.VP.INVVPID: no VM number is valid. */
    static long invvpid(GuestCpu cpu, int version) {
        return OPERAND_INVALID.with(Operand.RCX);
    }

    /** TDG.SERVTD.RD: no binding handle is valid. */
    static long servtdRead(GuestCpu cpu, int version) {
        Registers gprs = cpu.gprs();
        gprs.rdx(FieldId.NULL);
        gprs.r8(0);
        return OPERAND_INVALID.with(Operand.RCX);
    }

    /** TDG.SERVTD.WR: no binding handle is valid. */
    static long servtdWrite(GuestCpu cpu, int version) {
        cpu.gprs().r8(0);
        return OPERAND_INVALID.with(Operand.RCX);
    }
}
