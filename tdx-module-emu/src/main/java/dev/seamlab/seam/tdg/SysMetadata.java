// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.tdg;

import static dev.seamlab.seam.abi.StatusCode.METADATA_FIELD_ID_INCORRECT;
import static dev.seamlab.seam.abi.StatusCode.OPERAND_INVALID;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.GuestMode.Access;
import dev.seamlab.machine.Registers;
import dev.seamlab.seam.abi.FieldId;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.guest.GuestCpu;
import dev.seamlab.seam.md.FieldAccess;
import dev.seamlab.seam.md.FieldLeaves;
import dev.seamlab.seam.md.FieldListWriter;
import dev.seamlab.seam.md.SysFields;

/** TDG.SYS.RD and TDG.SYS.RDALL: global metadata as guests may see it (facts: section 2.2). */
final class SysMetadata {
    private final SysFields fields;

    SysMetadata(SysFields fields) {
        this.fields = fields;
    }

    long read(GuestCpu cpu, int version) {
        Registers gprs = cpu.gprs();
        long id = gprs.rdx();
        gprs.rdx(FieldId.NULL).r8(0);
        return FieldLeaves.read(fields.view(FieldAccess.GUEST), id, true, gprs);
    }

    long readAll(GuestCpu cpu, int version) {
        Registers gprs = cpu.gprs();
        long listGpa = gprs.rdx();
        long start = gprs.r8();
        gprs.r8(FieldId.NULL);
        if (!Addresses.isAligned(listGpa, Addresses.PAGE_SIZE)) {
            return OPERAND_INVALID.with(Operand.RDX);
        }
        long list = cpu.operand(listGpa, Access.WRITE, true);
        if (list == GuestCpu.NOT_COMPLETED) {
            // The instruction runs again with the operands it had.
            gprs.r8(start);
            return GuestCpu.NOT_COMPLETED;
        }
        if (list == GuestCpu.BAD_ADDRESS) {
            return OPERAND_INVALID.with(Operand.RDX);
        }
        FieldListWriter writer = fields.list(FieldAccess.GUEST, cpu.buffer());
        long status = writer.write(start);
        if (status != METADATA_FIELD_ID_INCORRECT.word()) {
            cpu.memory().write(list, cpu.buffer(), 0, writer.bytesWritten());
        }
        gprs.r8(writer.next());
        return status;
    }
}
