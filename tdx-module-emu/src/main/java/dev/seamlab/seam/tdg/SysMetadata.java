// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.tdg;

import static dev.seamlab.seam.abi.StatusCode.METADATA_FIELD_ID_INCORRECT;
import static dev.seamlab.seam.abi.StatusCode.METADATA_FIELD_NOT_READABLE;
import static dev.seamlab.seam.abi.StatusCode.METADATA_FIRST_FIELD_ID_IN_CONTEXT;
import static dev.seamlab.seam.abi.StatusCode.METADATA_LIST_OVERFLOW;
import static dev.seamlab.seam.abi.StatusCode.OPERAND_INVALID;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.GuestMode.Access;
import dev.seamlab.machine.Registers;
import dev.seamlab.seam.abi.FieldId;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.guest.GuestCpu;
import dev.seamlab.seam.md.FieldAccess;
import dev.seamlab.seam.md.FieldCatalog;
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
        FieldCatalog catalog = fields.catalog();
        if (FieldId.isNull(id)) {
            gprs.rdx(catalog.first(FieldAccess.GUEST));
            return METADATA_FIRST_FIELD_ID_IN_CONTEXT.word();
        }
        int row = FieldId.isSingleElement(id) ? catalog.find(id) : FieldCatalog.NONE;
        if (row == FieldCatalog.NONE) {
            return METADATA_FIELD_ID_INCORRECT.word();
        }
        long readable = catalog.get(row).readable(FieldAccess.GUEST);
        if (readable == 0) {
            return METADATA_FIELD_NOT_READABLE.word();
        }
        int element = catalog.element(row, id);
        gprs.rdx(catalog.next(row, element, FieldAccess.GUEST))
                .r8(fields.value(row, element) & readable);
        return Status.SUCCESS;
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
        FieldCatalog catalog = fields.catalog();
        long id = FieldId.isNull(start) ? catalog.first(FieldAccess.GUEST) : start;
        int row = catalog.find(id);
        boolean startsField =
                row != FieldCatalog.NONE
                        && catalog.get(row).readable(FieldAccess.GUEST) != 0
                        && catalog.element(row, id) % catalog.get(row).elements() == 0
                        && FieldId.elementBytes(id) == FieldId.elementBytes(catalog.get(row).id());
        if (!startsField) {
            return METADATA_FIELD_ID_INCORRECT.word();
        }
        FieldListWriter writer =
                new FieldListWriter(catalog, fields::value, FieldAccess.GUEST, cpu.buffer());
        long next = writer.write(row, catalog.element(row, id));
        cpu.memory().write(list, cpu.buffer(), 0, writer.bytesWritten());
        gprs.r8(next);
        return next == FieldId.NULL ? Status.SUCCESS : METADATA_LIST_OVERFLOW.word();
    }
}
