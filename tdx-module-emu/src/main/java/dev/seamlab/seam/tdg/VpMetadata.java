// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.tdg;

import static dev.seamlab.seam.abi.StatusCode.OPERAND_INVALID;

import dev.seamlab.machine.Registers;
import dev.seamlab.seam.abi.FieldId;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.guest.GuestCpu;
import dev.seamlab.seam.md.FieldLeaves;
import dev.seamlab.seam.md.VpView;

/**
 * TDG.VP.RD and TDG.VP.WR: fields of the vCPU as its guest may see them (facts: module ABI sections
 * 2.2 and 6.5). RD always reports the next identifier.
 */
final class VpMetadata {
    private VpMetadata() {}

    static long read(GuestCpu cpu, int version) {
        Registers gprs = cpu.gprs();
        long id = gprs.rdx();
        gprs.rdx(FieldId.NULL).r8(0);
        if (gprs.rcx() != 0) {
            return OPERAND_INVALID.with(Operand.RCX);
        }
        return FieldLeaves.read(VpView.ofGuest(cpu.vcpu(), cpu.tdcs()), id, true, gprs);
    }

    static long write(GuestCpu cpu, int version) {
        Registers gprs = cpu.gprs();
        long id = gprs.rdx();
        long data = gprs.r8();
        long mask = gprs.r9();
        gprs.r8(0);
        if (gprs.rcx() != 0) {
            return OPERAND_INVALID.with(Operand.RCX);
        }
        VpView view = VpView.ofGuest(cpu.vcpu(), cpu.tdcs());
        return FieldLeaves.write(view, id, data, mask, gprs);
    }
}
