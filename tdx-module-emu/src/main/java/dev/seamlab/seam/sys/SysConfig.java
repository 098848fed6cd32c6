// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.sys;

import static dev.seamlab.seam.abi.StatusCode.OPERAND_INVALID;
import static dev.seamlab.seam.abi.StatusCode.SYS_BUSY;
import static dev.seamlab.seam.abi.StatusCode.SYS_CONFIG_NOT_PENDING;

import dev.seamlab.machine.Hpa;
import dev.seamlab.machine.profile.ModuleProfile;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.TdmrInfo;
import dev.seamlab.seam.core.AddressRules;
import dev.seamlab.seam.core.Call;
import dev.seamlab.seam.core.LeafHandler;
import dev.seamlab.seam.core.ModuleState;
import dev.seamlab.seam.core.SysState;
import dev.seamlab.seam.key.KeyOwnership;
import dev.seamlab.seam.pamt.Pamt;
import dev.seamlab.seam.pamt.Tdmr;
import java.util.List;

/**
 * TDH.SYS.CONFIG: the TDMRs, the module's own KeyID, static or Dynamic PAMT (facts: sections 1.4
 * and 4.3).
 *
 * <p>The one leaf whose failure leaves a trace: the KeyID is RESERVED before the TDMRs are looked
 * at, as in the module, so that only a repeat with the same or another free KeyID makes sense.
 */
final class SysConfig implements LeafHandler {
    private static final long HKID_MASK = 0xFFFF;
    private static final long DYNAMIC_PAMT = 1L << 16;

    /** Dynamic PAMT entries hold 48-bit addresses, without KeyID. */
    private static final int MAX_DYNAMIC_ADDRESS_BITS = 48;

    private final ModuleState state;

    SysConfig(ModuleState state) {
        this.state = state;
    }

    @Override
    public long execute(Call call) {
        long array = call.regs().rcx();
        long count = call.regs().rdx();
        long options = call.regs().r8();
        if (!call.locks().exclusive(state.locks(), ModuleState.GLOBAL_LOCK)) {
            return SYS_BUSY.word();
        }
        if (state.sysState() != SysState.SYSINIT_DONE || !state.allCpusInitialised()) {
            return SYS_CONFIG_NOT_PENDING.word();
        }
        AddressRules addresses = state.addresses();
        if (!addresses.isSharedBuffer(array, TdmrInfo.ALIGNMENT)) {
            return OPERAND_INVALID.with(Operand.RCX);
        }
        ModuleProfile module = state.profile().module();
        if (Long.compareUnsigned(count, module.maxTdmrs()) > 0 || count == 0) {
            return OPERAND_INVALID.with(Operand.RDX);
        }
        long reserved = options & ~(HKID_MASK | DYNAMIC_PAMT);
        int hkid = (int) (options & HKID_MASK);
        boolean dynamic = (options & DYNAMIC_PAMT) != 0;
        if (reserved != 0 || !state.keys().isPrivate(hkid)) {
            return OPERAND_INVALID.with(Operand.R8);
        }
        // To a module without Dynamic PAMT bit 16 is a reserved bit.
        if (dynamic && !module.acceptsDynamicPamt()) {
            return OPERAND_INVALID.with(Operand.R8);
        }
        state.keys().state(hkid, KeyOwnership.State.RESERVED);
        state.globalHkid(hkid);
        if (dynamic && addresses.addressBits() > MAX_DYNAMIC_ADDRESS_BITS) {
            return OPERAND_INVALID.with(Operand.R8);
        }
        TdmrRules rules = new TdmrRules(state.profile(), addresses, dynamic);
        for (int i = 0; i < count; i++) {
            @Hpa long entry = addresses.withoutHkid(array) + (long) Long.BYTES * i;
            long info = state.memory().readLong(entry);
            if (!addresses.isSharedBuffer(info, TdmrInfo.ALIGNMENT)) {
                return OPERAND_INVALID.with(Operand.RCX);
            }
            @Hpa long at = addresses.withoutHkid(info);
            long status = rules.check(new TdmrDescription(state.memory(), at));
            if (status != Status.SUCCESS) {
                return status;
            }
        }
        List<Tdmr> tdmrs = rules.accepted().stream().map(tdmr -> tdmr.toTdmr(dynamic)).toList();
        state.pamt(new Pamt(tdmrs, dynamic));
        state.sysState(SysState.SYSCONFIG_DONE);
        return Status.SUCCESS;
    }
}
