// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.mng;

import static dev.seamlab.seam.abi.StatusCode.METADATA_FIELD_ID_INCORRECT;
import static dev.seamlab.seam.abi.StatusCode.METADATA_FIELD_NOT_READABLE;
import static dev.seamlab.seam.abi.StatusCode.METADATA_FIELD_VALUE_NOT_VALID;
import static dev.seamlab.seam.abi.StatusCode.METADATA_FIRST_FIELD_ID_IN_CONTEXT;
import static dev.seamlab.seam.abi.StatusCode.METADATA_WR_MASK_NOT_VALID;
import static dev.seamlab.seam.abi.StatusCode.OPERAND_INVALID;

import dev.seamlab.seam.abi.FieldId;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.core.Call;
import dev.seamlab.seam.core.LeafHandler;
import dev.seamlab.seam.core.TdAccess;
import dev.seamlab.seam.md.FieldAccess;
import dev.seamlab.seam.md.FieldCatalog;
import dev.seamlab.seam.md.FieldSpec;
import dev.seamlab.seam.md.FieldWrite;
import dev.seamlab.seam.md.TdFields;

/** TDH.MNG.RD and TDH.MNG.WR: fields of TDR and TDCS (facts: sections 1.5 and 6.4). */
final class MngRdWr implements LeafHandler {
    private static final String TIMEOUT = "HP_LOCK_TIMEOUT";
    private static final String NOTIFY = "NOTIFY_ENABLES";
    private static final long MIN_TIMEOUT_MICROS = 10_000;
    private static final long MAX_TIMEOUT_MICROS = 100_000_000;

    private final TdAccess tds;
    private final Leaf leaf;

    MngRdWr(TdAccess tds, Leaf leaf) {
        this.tds = tds;
        this.leaf = leaf;
    }

    @Override
    public long execute(Call call) {
        long id = call.regs().rdx();
        long data = call.regs().r8();
        long mask = call.regs().r9();
        boolean write = leaf == Leaf.MNG_WR;
        if (call.version() > 0) {
            call.regs().rdx(FieldId.NULL);
        }
        call.regs().r8(0);
        if (call.version() > 1) {
            return OPERAND_INVALID.with(Operand.RAX);
        }
        long status = tds.byTdr(call, call.regs().rcx(), Operand.RCX, false);
        if (status == Status.SUCCESS) {
            status = tds.checkState(call, leaf, true);
        }
        if (status != Status.SUCCESS) {
            return status;
        }
        FieldCatalog catalog = TdFields.catalog();
        FieldAccess access =
                call.tdcs().config().isDebug() ? FieldAccess.HOST_DEBUG : FieldAccess.HOST;
        if (call.version() > 0 && FieldId.isNull(id)) {
            call.regs().rdx(catalog.first(access));
            return METADATA_FIRST_FIELD_ID_IN_CONTEXT.word();
        }
        int row = FieldId.isSingleElement(id) ? catalog.find(id) : FieldCatalog.NONE;
        if (row == FieldCatalog.NONE) {
            return METADATA_FIELD_ID_INCORRECT.word();
        }
        int element = catalog.element(row, id);
        long current = TdFields.value(row, call.tdr(), call.tdcs(), element);
        FieldSpec spec = catalog.get(row);
        if (write) {
            return write(call, spec, access, current, data, mask);
        }
        if (spec.readable(access) == 0) {
            return METADATA_FIELD_NOT_READABLE.word();
        }
        if (call.version() > 0) {
            call.regs().rdx(catalog.next(row, element, access));
        }
        call.regs().r8(current & spec.readable(access));
        return Status.SUCCESS;
    }

    private static long write(
            Call call, FieldSpec spec, FieldAccess access, long current, long data, long mask) {
        long status = FieldWrite.check(spec, access, current, data, mask);
        if (status != Status.SUCCESS) {
            return status;
        }
        long value = FieldWrite.merge(spec, access, current, data, mask);
        switch (spec.name()) {
            case TIMEOUT -> {
                if (mask != -1L) {
                    return METADATA_WR_MASK_NOT_VALID.word();
                }
                if (value < MIN_TIMEOUT_MICROS || value > MAX_TIMEOUT_MICROS) {
                    return METADATA_FIELD_VALUE_NOT_VALID.word();
                }
                call.tdcs().controls().hpLockTimeout(value);
            }
            case NOTIFY -> call.tdcs().controls().notifyEnables(value);
            default -> {
                // VM_CTLS of L2 VMs, which the model does not have: nothing but zero is valid.
                if (value != 0) {
                    return METADATA_FIELD_VALUE_NOT_VALID.word();
                }
            }
        }
        call.regs().r8(current & spec.readable(access));
        return Status.SUCCESS;
    }
}
