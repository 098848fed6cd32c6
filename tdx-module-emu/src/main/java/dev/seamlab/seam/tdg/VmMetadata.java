// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.tdg;

import static dev.seamlab.seam.abi.StatusCode.OPERAND_INVALID;

import dev.seamlab.machine.Registers;
import dev.seamlab.seam.abi.FieldId;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.guest.GuestCpu;
import dev.seamlab.seam.md.FieldLeaves;
import dev.seamlab.seam.md.TdView;

/**
 * TDG.VM.RD and TDG.VM.WR: fields of the TD as its guest may see them (facts: module ABI sections
 * 2.2 and 6.4). RD reports the next identifier from version 1 on.
 */
final class VmMetadata {
    private static final int MAX_READ_VERSION = 1;

    private VmMetadata() {}

    static long read(GuestCpu cpu, int version) {
        Registers gprs = cpu.gprs();
        long id = gprs.rdx();
        if (version > 0) {
            gprs.rdx(FieldId.NULL);
        }
        gprs.r8(0);
        if (version > MAX_READ_VERSION) {
            return OPERAND_INVALID.with(Operand.RAX);
        }
        if (gprs.rcx() != 0) {
            return OPERAND_INVALID.with(Operand.RCX);
        }
        return FieldLeaves.read(TdView.ofGuest(cpu.tdr(), cpu.tdcs()), id, version > 0, gprs);
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
        return FieldLeaves.write(TdView.ofGuest(cpu.tdr(), cpu.tdcs()), id, data, mask, gprs);
    }
}
