// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.sys;

import static dev.seamlab.seam.abi.StatusCode.SYS_LP_INIT_NOT_DONE;

import dev.seamlab.seam.abi.FieldId;
import dev.seamlab.seam.core.Call;
import dev.seamlab.seam.core.LeafHandler;
import dev.seamlab.seam.core.ModuleState;
import dev.seamlab.seam.md.FieldAccess;
import dev.seamlab.seam.md.FieldLeaves;
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
        return FieldLeaves.read(fields.view(FieldAccess.HOST), id, true, call.regs());
    }
}
