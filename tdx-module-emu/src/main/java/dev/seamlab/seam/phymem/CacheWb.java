// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.phymem;

import static dev.seamlab.seam.abi.StatusCode.INTERRUPTED_RESUMABLE;
import static dev.seamlab.seam.abi.StatusCode.NO_HKID_READY_TO_WBCACHE;
import static dev.seamlab.seam.abi.StatusCode.OPERAND_BUSY;
import static dev.seamlab.seam.abi.StatusCode.OPERAND_INVALID;
import static dev.seamlab.seam.abi.StatusCode.WBCACHE_RESUME_ERROR;

import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.core.Call;
import dev.seamlab.seam.core.LeafHandler;
import dev.seamlab.seam.core.ModuleState;
import dev.seamlab.seam.key.CacheWriteBack;
import dev.seamlab.seam.key.KeyOwnership;

/**
 * TDH.PHYMEM.CACHE.WB: writes a package's caches back for every flushed KeyID; a pending interrupt
 * stops it between two steps (facts: section 7.4).
 */
final class CacheWb implements LeafHandler {
    private static final long START = 0;
    private static final long RESUME = 1;

    private final ModuleState state;

    CacheWb(ModuleState state) {
        this.state = state;
    }

    @Override
    public long execute(Call call) {
        long command = call.regs().rcx();
        if (command != START && command != RESUME) {
            return OPERAND_INVALID.with(Operand.RCX);
        }
        int pkg = call.cpu().packageIndex();
        CacheWriteBack writeBack = state.writeBack(pkg);
        KeyOwnership keys = state.keys();
        if (!call.locks().exclusive(writeBack.words(), CacheWriteBack.MUTEX)) {
            return OPERAND_BUSY.with(Operand.WBCACHE);
        }
        if (!call.locks().share(keys.words(), KeyOwnership.LOCK)) {
            return OPERAND_BUSY.with(Operand.KOT);
        }
        if (command == START) {
            if (!writeBack.start(keys)) {
                return NO_HKID_READY_TO_WBCACHE.word();
            }
        } else if (!writeBack.isInterrupted()) {
            return WBCACHE_RESUME_ERROR.word();
        }
        while (!writeBack.step()) {
            if (state.interrupts().isPending(call.cpu(), Leaf.PHYMEM_CACHE_WB)) {
                return INTERRUPTED_RESUMABLE.word();
            }
        }
        writeBack.finish(keys, pkg);
        return Status.SUCCESS;
    }
}
