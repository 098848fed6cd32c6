// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.tdg;

import static dev.seamlab.seam.abi.StatusCode.METADATA_FIELD_ID_INCORRECT;
import static dev.seamlab.seam.abi.StatusCode.METADATA_FIELD_NOT_READABLE;
import static dev.seamlab.seam.abi.StatusCode.METADATA_FIELD_VALUE_NOT_VALID;
import static dev.seamlab.seam.abi.StatusCode.METADATA_FIRST_FIELD_ID_IN_CONTEXT;
import static dev.seamlab.seam.abi.StatusCode.OPERAND_INVALID;

import dev.seamlab.machine.Registers;
import dev.seamlab.seam.abi.FieldId;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.guest.GuestCpu;
import dev.seamlab.seam.md.FieldAccess;
import dev.seamlab.seam.md.FieldCatalog;
import dev.seamlab.seam.md.FieldSpec;
import dev.seamlab.seam.md.FieldWrite;
import dev.seamlab.seam.md.TdFields;
import dev.seamlab.seam.td.TdConfig;
import dev.seamlab.seam.td.TdControls;

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
        FieldCatalog catalog = TdFields.catalog();
        if (version > 0 && FieldId.isNull(id)) {
            gprs.rdx(catalog.first(FieldAccess.GUEST));
            return METADATA_FIRST_FIELD_ID_IN_CONTEXT.word();
        }
        int row = row(id);
        if (row == FieldCatalog.NONE) {
            return METADATA_FIELD_ID_INCORRECT.word();
        }
        long readable = catalog.get(row).readable(FieldAccess.GUEST);
        if (readable == 0) {
            return METADATA_FIELD_NOT_READABLE.word();
        }
        int element = catalog.element(row, id);
        if (version > 0) {
            gprs.rdx(catalog.next(row, element, FieldAccess.GUEST));
        }
        gprs.r8(TdFields.value(row, cpu.tdr(), cpu.tdcs(), element) & readable);
        return Status.SUCCESS;
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
        int row = row(id);
        if (row == FieldCatalog.NONE) {
            return METADATA_FIELD_ID_INCORRECT.word();
        }
        FieldCatalog catalog = TdFields.catalog();
        FieldSpec spec = catalog.get(row);
        long current = TdFields.value(row, cpu.tdr(), cpu.tdcs(), catalog.element(row, id));
        long status = FieldWrite.check(spec, FieldAccess.GUEST, current, data, mask);
        if (status != Status.SUCCESS) {
            return status;
        }
        long value = FieldWrite.merge(spec, FieldAccess.GUEST, current, data, mask);
        if (!store(cpu, spec, current, value)) {
            return METADATA_FIELD_VALUE_NOT_VALID.word();
        }
        gprs.r8(current & spec.readable(FieldAccess.GUEST));
        return Status.SUCCESS;
    }

    private static int row(long id) {
        return FieldId.isSingleElement(id) ? TdFields.catalog().find(id) : FieldCatalog.NONE;
    }

    private static boolean store(GuestCpu cpu, FieldSpec spec, long current, long value) {
        TdControls controls = cpu.tdcs().controls();
        boolean locked = (controls.tdCtls() & TdControls.LOCK) != 0;
        switch (spec.name()) {
            case "NOTIFY_ENABLES" -> controls.notifyEnables(value);
            case "TD_CTLS" -> {
                if (locked) {
                    return value == current;
                }
                return storeControls(cpu, current, value);
            }
            case "FEATURE_PARAVIRT_CTLS" -> {
                if (locked) {
                    return value == current;
                }
                controls.featureParavirtCtls(value);
            }
            default -> throw new AssertionError("no guest writes to " + spec.name());
        }
        return true;
    }

    /**
     * PENDING_VE_DISABLE is the guest's only if the host said so; REDUCE_VE brings two others with
     * it; topology needs an x2APIC id for every vCPU.
     */
    private static boolean storeControls(GuestCpu cpu, long current, long value) {
        boolean flexible = (cpu.config().configFlags() & TdConfig.FLAG_FLEXIBLE_PENDING_VE) != 0;
        if (!flexible && ((current ^ value) & TdControls.PENDING_VE_DISABLE) != 0) {
            return false;
        }
        long next = value;
        if ((next & TdControls.REDUCE_VE) != 0) {
            next |= TdControls.ENUM_TOPOLOGY | TdControls.VIRT_CPUID2;
        }
        TdControls controls = cpu.tdcs().controls();
        if ((next & TdControls.ENUM_TOPOLOGY) != 0 && !controls.topologyEnumConfigured()) {
            return false;
        }
        controls.tdCtls(next);
        return true;
    }
}
