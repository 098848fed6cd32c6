// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.mng;

import static dev.seamlab.seam.abi.StatusCode.HKID_NOT_FREE;
import static dev.seamlab.seam.abi.StatusCode.OPERAND_BUSY;
import static dev.seamlab.seam.abi.StatusCode.OPERAND_INVALID;

import dev.seamlab.machine.Addresses;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.PageType;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.core.Call;
import dev.seamlab.seam.core.LeafHandler;
import dev.seamlab.seam.core.ModuleState;
import dev.seamlab.seam.core.PageAccess;
import dev.seamlab.seam.key.KeyOwnership;
import dev.seamlab.seam.td.Tdr;

/** TDH.MNG.CREATE: a TDR page and a KeyID make a TD (facts: section 1.5). */
final class MngCreate implements LeafHandler {
    private static final long HKID_MASK = 0xFFFF;

    private final ModuleState state;
    private final PageAccess pages;

    MngCreate(ModuleState state, PageAccess pages) {
        this.state = state;
        this.pages = pages;
    }

    @Override
    public long execute(Call call) {
        long page = call.regs().rcx();
        long hkidOperand = call.regs().rdx();
        KeyOwnership keys = state.keys();
        if ((hkidOperand & ~HKID_MASK) != 0 || !keys.isPrivate(hkidOperand)) {
            return OPERAND_INVALID.with(Operand.RDX);
        }
        long status = pages.free4k(call, call.tdrPage(), page, Operand.RCX);
        if (status != Status.SUCCESS) {
            return status;
        }
        if (!call.locks().exclusive(keys.words(), KeyOwnership.LOCK)) {
            return OPERAND_BUSY.with(Operand.KOT);
        }
        int hkid = (int) hkidOperand;
        if (keys.state(hkid) != KeyOwnership.State.FREE) {
            return HKID_NOT_FREE.word();
        }
        state.memory().zeroPage(page);
        keys.state(hkid, KeyOwnership.State.ASSIGNED);
        Tdr tdr =
                new Tdr(
                        page,
                        hkid,
                        state.addresses().addressBits(),
                        uuid(page),
                        state.profile().cpus());
        state.tds().put(Addresses.pfn(page), tdr);
        call.tdrPage().assign(PageType.TDR, 0);
        return Status.SUCCESS;
    }

    /**
     * TD_UUID. The real module draws it at random; the model wants runs to repeat, so it numbers
     * the TDs and mixes the page in.
     */
    private long[] uuid(long page) {
        long serial = state.nextTdSerial();
        return new long[] {serial, page, ~serial, 0x5EA3_1AB0_0000_0000L ^ page};
    }
}
