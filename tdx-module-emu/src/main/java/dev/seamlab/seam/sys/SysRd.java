// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.sys;

import static dev.seamlab.seam.abi.StatusCode.METADATA_FIELD_ID_INCORRECT;
import static dev.seamlab.seam.abi.StatusCode.METADATA_FIRST_FIELD_ID_IN_CONTEXT;
import static dev.seamlab.seam.abi.StatusCode.SYS_LP_INIT_NOT_DONE;

import dev.seamlab.seam.abi.FieldId;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.core.Call;
import dev.seamlab.seam.core.LeafHandler;
import dev.seamlab.seam.core.ModuleState;
import dev.seamlab.seam.md.FieldAccess;
import dev.seamlab.seam.md.FieldCatalog;
import dev.seamlab.seam.md.SysFields;

/** TDH.SYS.RD: one element of global metadata (facts: section 1.4). */
final class SysRd implements LeafHandler {
    private final ModuleState state;
    private final SysFields fields;

    SysRd(ModuleState state, SysFields fields) {
        this.state = state;
        this.fields = fields;
    }

    @Override
    public long execute(Call call) {
        long id = call.regs().rdx();
        call.regs().rdx(FieldId.NULL).r8(0);
        if (!state.isInitialised(call.cpu().index())) {
            return SYS_LP_INIT_NOT_DONE.word();
        }
        FieldCatalog catalog = fields.catalog();
        if (FieldId.isNull(id)) {
            call.regs().rdx(catalog.first(FieldAccess.HOST));
            return METADATA_FIRST_FIELD_ID_IN_CONTEXT.word();
        }
        int row = FieldId.isSingleElement(id) ? catalog.find(id) : FieldCatalog.NONE;
        if (row == FieldCatalog.NONE) {
            return METADATA_FIELD_ID_INCORRECT.word();
        }
        int element = catalog.element(row, id);
        call.regs().r8(fields.value(row, element));
        call.regs().rdx(catalog.next(row, element, FieldAccess.HOST));
        return Status.SUCCESS;
    }
}
