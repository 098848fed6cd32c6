// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.tdg;

import static dev.seamlab.seam.abi.StatusCode.METADATA_FIELD_ID_INCORRECT;
import static dev.seamlab.seam.abi.StatusCode.METADATA_FIELD_NOT_READABLE;
import static dev.seamlab.seam.abi.StatusCode.METADATA_FIELD_NOT_WRITABLE;
import static dev.seamlab.seam.abi.StatusCode.METADATA_FIRST_FIELD_ID_IN_CONTEXT;
import static dev.seamlab.seam.abi.StatusCode.OPERAND_INVALID;

import dev.seamlab.machine.Registers;
import dev.seamlab.seam.abi.FieldId;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.guest.GuestCpu;
import dev.seamlab.seam.md.FieldAccess;
import dev.seamlab.seam.md.FieldCatalog;
import dev.seamlab.seam.md.VpFields;

/**
 * TDG.VP.RD and TDG.VP.WR: fields of the vCPU as its guest may see them (facts: module ABI sections
 * 2.2 and 6.5). RD always reports the next identifier. The guest can write to fields of L2 VMs
 * only, and there are none.
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
        FieldCatalog catalog = VpFields.catalog();
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
                .r8(VpFields.value(row, cpu.vcpu(), element) & readable);
        return Status.SUCCESS;
    }

    static long write(GuestCpu cpu, int version) {
        Registers gprs = cpu.gprs();
        long id = gprs.rdx();
        gprs.r8(0);
        if (gprs.rcx() != 0) {
            return OPERAND_INVALID.with(Operand.RCX);
        }
        boolean known = FieldId.isSingleElement(id) && VpFields.catalog().find(id) >= 0;
        return (known ? METADATA_FIELD_NOT_WRITABLE : METADATA_FIELD_ID_INCORRECT).word();
    }
}
