// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.core;

import static dev.seamlab.seam.abi.StatusCode.OPERAND_BUSY;
import static dev.seamlab.seam.abi.StatusCode.OP_STATE_INCORRECT;
import static dev.seamlab.seam.abi.StatusCode.TDCS_NOT_ALLOCATED;
import static dev.seamlab.seam.abi.StatusCode.TD_FATAL;
import static dev.seamlab.seam.abi.StatusCode.TD_KEYS_NOT_CONFIGURED;

import dev.seamlab.machine.Addresses;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.LifecycleState;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.PageType;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.lock.HeldLocks;
import dev.seamlab.seam.pamt.PageRef;
import dev.seamlab.seam.td.OpStateRules;
import dev.seamlab.seam.td.Tdcs;
import dev.seamlab.seam.td.Tdr;
import dev.seamlab.seam.td.Tdvps;
import dev.seamlab.seam.td.TlbEpoch;
import java.util.Objects;

/**
 * The ways to a TD and its vCPUs: by the TDR or TDVPR that a leaf names, or by the owner of a page.
 * What was found stands in the call's slots.
 */
public final class TdAccess {
    private final ModuleState state;
    private final PageAccess pages;

    public TdAccess(ModuleState state, PageAccess pages) {
        this.state = state;
        this.pages = pages;
    }

    /** The TD of a TDR that the leaf names. */
    public long byTdr(Call call, long hpa, Operand operand, boolean alone) {
        long status = pages.used4k(call, call.tdrPage(), hpa, operand, PageType.TDR, alone);
        if (status == Status.SUCCESS) {
            call.tdr(td(hpa));
        }
        return status;
    }

    /**
     * The TD that owns a page, by an implicit lock on its TDR.
     *
     * @param page metadata of the page, locked
     */
    public long byOwner(Call call, PageRef page, boolean alone) {
        long hpa = Addresses.hpa(page.owner());
        if (!state.pamt()
                .lockImplicit(call.locks(), call.tdrPage(), hpa, PageInfo.LEVEL_4K, alone)) {
            return OPERAND_BUSY.with(Operand.TDR);
        }
        call.tdr(td(hpa));
        return Status.SUCCESS;
    }

    /** The vCPU of a TDVPR that the leaf names, then its TD by an implicit lock. */
    public long byTdvpr(Call call, long hpa, Operand operand, boolean vcpuAlone, boolean tdAlone) {
        long status = pages.used4k(call, call.page(), hpa, operand, PageType.TDVPR, vcpuAlone);
        if (status != Status.SUCCESS) {
            return status;
        }
        Tdvps vcpu = state.vcpus().get(Addresses.pfn(hpa));
        call.tdvps(Objects.requireNonNull(vcpu, "TDVPR page without vCPU"));
        call.vcpuPage().point(call.page());
        return byOwner(call, call.page(), tdAlone);
    }

    /**
     * The short way to the TD that this CPU found last: the locks of the walk to its TDR, of the
     * operation state and of the Secure EPT tree with one fence. What was seen in the earlier call
     * is checked again under the locks, unless nobody can have changed it: page types, lifecycle,
     * control structure and operation state all change under the exclusive lock of the TDR or of an
     * entry above it. Does all that {@link #byTdr} and {@link #checkState} do, or nothing; so it
     * never refuses, and the long way gives every answer but success.
     *
     * @return whether the TD stands in the call, locks held
     */
    public boolean again(Call call, Leaf leaf, long hpa) {
        Tdr tdr = call.lastTdr();
        if (tdr == null || tdr.hpa() != hpa) {
            return false;
        }
        Tdcs tdcs = tdr.tdcs();
        if (tdcs == null || !call.tdrPage().isAt(hpa)) {
            return false;
        }
        HeldLocks locks = call.locks();
        int mark = locks.mark();
        boolean usable;
        if (call.tdPath().leadsTo(tdcs) && locks.retake(call.tdPath())) {
            usable = !tdr.isFatal() && OpStateRules.allows(leaf, tdcs);
        } else {
            long claims = locks.claims();
            state.pamt().stage(locks, call.tdrPage());
            locks.stage(tdcs.locks(), Tdcs.OP_STATE_LOCK);
            locks.stage(tdcs.locks(), Tdcs.SEPT_TREE_LOCK);
            if (!locks.commit(mark)) {
                return false;
            }
            usable =
                    state.pamt().isStill(call.tdrPage(), PageType.TDR) && isUsable(tdr, tdcs, leaf);
            if (usable) {
                locks.remember(call.tdPath(), mark, tdcs, claims);
            }
        }
        if (usable) {
            call.tdcs(tdcs);
            return true;
        }
        locks.releaseTo(mark);
        return false;
    }

    /**
     * The short way to the vCPU that this CPU found last, for leaves that share TDVPR and TDR and
     * lock the operation state and then the epoch: {@link #byTdvpr}, {@link #checkState} and the
     * epoch's lock in one, as {@link #again}. The epoch's lock stands last on the list and may
     * refuse a TRACK; a call that is going to fail before it gets there must not come here.
     */
    public boolean vcpuAgain(Call call, Leaf leaf, long hpa) {
        Tdvps vcpu = call.lastVcpu();
        if (vcpu == null || !call.vcpuPage().isAt(hpa)) {
            return false;
        }
        Tdr tdr = vcpu.tdr();
        Tdcs tdcs = tdr.tdcs();
        if (tdcs == null || !call.tdrPage().isAt(tdr.hpa())) {
            return false;
        }
        HeldLocks locks = call.locks();
        int mark = locks.mark();
        boolean usable;
        if (call.vcpuPath().leadsTo(vcpu) && locks.retake(call.vcpuPath())) {
            usable = !tdr.isFatal() && OpStateRules.allows(leaf, tdcs);
        } else {
            long claims = locks.claims();
            state.pamt().stage(locks, call.vcpuPage());
            state.pamt().stageImplicit(locks, call.tdrPage());
            locks.stage(tdcs.locks(), Tdcs.OP_STATE_LOCK);
            locks.stage(tdcs.epoch().words(), TlbEpoch.LOCK);
            if (!locks.commit(mark)) {
                return false;
            }
            usable =
                    state.pamt().isStill(call.vcpuPage(), PageType.TDVPR)
                            && !vcpu.isGone()
                            && call.vcpuPage().owner() == tdr.pfn()
                            && call.tdrPage().is(PageType.TDR)
                            && isUsable(tdr, tdcs, leaf);
            if (usable) {
                locks.remember(call.vcpuPath(), mark, vcpu, claims);
            }
        }
        if (usable) {
            call.tdr(tdr);
            call.tdcs(tdcs);
            return true;
        }
        locks.releaseTo(mark);
        return false;
    }

    private static boolean isUsable(Tdr tdr, Tdcs tdcs, Leaf leaf) {
        return !tdr.isGone()
                && !tdr.isFatal()
                && tdr.lifecycle() == LifecycleState.KEYS_CONFIGURED
                && tdr.tdcs() == tdcs
                && OpStateRules.allows(leaf, tdcs);
    }

    /**
     * Whether the TD is in a state in which the leaf may run: key, control structure, operation
     * state (facts: section 1.3).
     *
     * @param lock whether to hold the operation state share-locked; leaves that own the TDR need
     *     not
     */
    public long checkState(Call call, Leaf leaf, boolean lock) {
        Tdr tdr = call.tdr();
        if (tdr.isFatal()) {
            return TD_FATAL.word();
        }
        if (tdr.lifecycle() != LifecycleState.KEYS_CONFIGURED) {
            return TD_KEYS_NOT_CONFIGURED.word();
        }
        Tdcs tdcs = tdr.tdcs();
        if (tdcs == null) {
            return TDCS_NOT_ALLOCATED.word();
        }
        if (lock && !call.locks().share(tdcs.locks(), Tdcs.OP_STATE_LOCK)) {
            return OPERAND_BUSY.with(Operand.OP_STATE);
        }
        if (!OpStateRules.allows(leaf, tdcs)) {
            return OP_STATE_INCORRECT.withDetail(tdcs.opState().ordinal());
        }
        call.tdcs(tdcs);
        return Status.SUCCESS;
    }

    private Tdr td(long hpa) {
        Tdr tdr = state.tds().get(Addresses.pfn(hpa));
        return Objects.requireNonNull(tdr, "TDR page without TD");
    }
}
