// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.sys;

import static dev.seamlab.seam.abi.StatusCode.OPERAND_INVALID;
import static dev.seamlab.seam.abi.StatusCode.SYS_LP_INIT_NOT_DONE;

import dev.seamlab.machine.Hpa;
import dev.seamlab.machine.PhysicalMemory;
import dev.seamlab.machine.profile.AddressRange;
import dev.seamlab.machine.profile.ModuleProfile;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.core.Call;
import dev.seamlab.seam.core.LeafHandler;
import dev.seamlab.seam.core.ModuleState;
import dev.seamlab.seam.md.CpuidConfig;
import dev.seamlab.seam.md.PlatformValues;
import java.util.List;

/**
 * TDH.SYS.INFO: TDSYSINFO_STRUCT and the CMR table, the old way to what SYS.RD gives (facts:
 * section 6.3, last paragraph).
 */
final class SysInfo implements LeafHandler {
    private static final int SIZE = 1024;
    private static final int MAX_CMRS = 32;
    private static final int CMR_BYTES = 16;
    private static final int PAGE = 4096;

    private final ModuleState state;

    SysInfo(ModuleState state) {
        this.state = state;
    }

    @Override
    public long execute(Call call) {
        long info = call.regs().rcx();
        long bytes = call.regs().rdx();
        long cmrs = call.regs().r8();
        long entries = call.regs().r9();
        call.regs().rdx(0).r9(0);
        if (!state.isInitialised(call.cpu().index())) {
            return SYS_LP_INIT_NOT_DONE.word();
        }
        if (!state.addresses().isSharedBuffer(info, SIZE)) {
            return OPERAND_INVALID.with(Operand.RCX);
        }
        if (Long.compareUnsigned(bytes, SIZE) < 0) {
            return OPERAND_INVALID.with(Operand.RDX);
        }
        // The module clears the first buffer before it looks at the second.
        @Hpa long infoAt = state.addresses().withoutHkid(info);
        state.memory().write(infoAt, new byte[SIZE], 0, SIZE);
        if (!state.addresses().isSharedBuffer(cmrs, MAX_CMRS * CMR_BYTES)) {
            return OPERAND_INVALID.with(Operand.R8);
        }
        if (Long.compareUnsigned(entries, MAX_CMRS) < 0) {
            return OPERAND_INVALID.with(Operand.R9);
        }
        writeInfo(infoAt);
        writeCmrs(state.addresses().withoutHkid(cmrs));
        call.regs().rdx(SIZE).r9(MAX_CMRS);
        return Status.SUCCESS;
    }

    private void writeInfo(@Hpa long at) {
        PhysicalMemory memory = state.memory();
        ModuleProfile module = state.profile().module();
        memory.writeInt(at + 4, 0x8086);
        memory.writeShort(at + 14, module.minor());
        memory.writeShort(at + 16, module.major());
        memory.writeByte(at + 18, 1);
        memory.writeShort(at + 32, module.maxTdmrs());
        memory.writeShort(at + 34, module.maxReservedPerTdmr());
        memory.writeShort(at + 36, module.pamtEntrySize());
        memory.writeShort(at + 48, module.tdcsPages() * PAGE);
        memory.writeShort(at + 52, module.tdvpsPages() * PAGE);
        memory.writeLong(at + 64, PlatformValues.ATTRIBUTES_FIXED0);
        memory.writeLong(at + 80, PlatformValues.XFAM_FIXED0);
        memory.writeLong(at + 88, PlatformValues.XFAM_FIXED1);
        memory.writeInt(at + 128, CpuidConfig.rows());
        for (int i = 0; i < CpuidConfig.rows(); i++) {
            @Hpa long row = at + 132 + 24L * i;
            writeUnaligned(row, CpuidConfig.id(i));
            writeUnaligned(row + 8, CpuidConfig.configurable(i, 0));
            writeUnaligned(row + 16, CpuidConfig.configurable(i, 1));
        }
    }

    private void writeUnaligned(@Hpa long at, long value) {
        state.memory().writeInt(at, (int) value);
        state.memory().writeInt(at + Integer.BYTES, (int) (value >>> Integer.SIZE));
    }

    private void writeCmrs(@Hpa long at) {
        List<AddressRange> cmrs = state.profile().cmrs();
        for (int i = 0; i < MAX_CMRS; i++) {
            boolean used = i < cmrs.size();
            @Hpa long entry = at + (long) CMR_BYTES * i;
            state.memory().writeLong(entry, used ? cmrs.get(i).start() : 0);
            state.memory().writeLong(entry + Long.BYTES, used ? cmrs.get(i).size() : 0);
        }
    }
}
