// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.sys;

import static dev.seamlab.seam.abi.StatusCode.METADATA_FIELD_ID_INCORRECT;
import static dev.seamlab.seam.abi.StatusCode.OPERAND_INVALID;
import static dev.seamlab.seam.abi.StatusCode.SYS_LP_INIT_NOT_DONE;

import dev.seamlab.machine.Addresses;
import dev.seamlab.seam.abi.FieldId;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.core.Call;
import dev.seamlab.seam.core.LeafHandler;
import dev.seamlab.seam.core.ModuleState;
import dev.seamlab.seam.md.FieldAccess;
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
        FieldListWriter list = fields.list(FieldAccess.HOST, call.buffer());
        long status = list.write(start);
        if (status != METADATA_FIELD_ID_INCORRECT.word()) {
            state.memory()
                    .write(
                            state.addresses().withoutHkid(buffer),
                            call.buffer(),
                            0,
                            list.bytesWritten());
        }
        call.regs().r8(list.next());
        return status;
    }
}
