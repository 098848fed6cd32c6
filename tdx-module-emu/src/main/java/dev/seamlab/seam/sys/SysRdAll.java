// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.sys;

import static dev.seamlab.seam.abi.StatusCode.METADATA_FIELD_ID_INCORRECT;
import static dev.seamlab.seam.abi.StatusCode.METADATA_LIST_OVERFLOW;
import static dev.seamlab.seam.abi.StatusCode.OPERAND_INVALID;
import static dev.seamlab.seam.abi.StatusCode.SYS_LP_INIT_NOT_DONE;

import dev.seamlab.machine.Addresses;
import dev.seamlab.seam.abi.FieldId;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.core.Call;
import dev.seamlab.seam.core.LeafHandler;
import dev.seamlab.seam.core.ModuleState;
import dev.seamlab.seam.md.FieldAccess;
import dev.seamlab.seam.md.FieldCatalog;
import dev.seamlab.seam.md.FieldListWriter;
import dev.seamlab.seam.md.SysFields;

/** TDH.SYS.RDALL: global metadata as a list, page by page (facts: section 1.4). */
final class SysRdAll implements LeafHandler {
    private final ModuleState state;
    private final SysFields fields;

    SysRdAll(ModuleState state, SysFields fields) {
        this.state = state;
        this.fields = fields;
    }

    @Override
    public long execute(Call call) {
        long buffer = call.regs().rdx();
        long start = call.regs().r8();
        call.regs().r8(FieldId.NULL);
        if (!state.isInitialised(call.cpu().index())) {
            return SYS_LP_INIT_NOT_DONE.word();
        }
        if (!state.addresses().isSharedBuffer(buffer, Addresses.PAGE_SIZE)) {
            return OPERAND_INVALID.with(Operand.RDX);
        }
        FieldCatalog catalog = fields.catalog();
        long id = FieldId.isNull(start) ? catalog.first(FieldAccess.HOST) : start;
        int row = catalog.find(id);
        boolean startsField =
                row != FieldCatalog.NONE
                        && catalog.element(row, id) % catalog.get(row).elements() == 0
                        && FieldId.elementBytes(id) == FieldId.elementBytes(catalog.get(row).id());
        if (!startsField) {
            return METADATA_FIELD_ID_INCORRECT.word();
        }
        FieldListWriter list =
                new FieldListWriter(catalog, fields::value, FieldAccess.HOST, call.buffer());
        long next = list.write(row, catalog.element(row, id));
        state.memory()
                .write(
                        state.addresses().withoutHkid(buffer),
                        call.buffer(),
                        0,
                        list.bytesWritten());
        call.regs().r8(next);
        return next == FieldId.NULL ? Status.SUCCESS : METADATA_LIST_OVERFLOW.word();
    }
}
