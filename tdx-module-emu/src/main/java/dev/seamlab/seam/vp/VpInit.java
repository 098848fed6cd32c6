// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.vp;

import static dev.seamlab.seam.abi.StatusCode.MAX_VCPUS_EXCEEDED;
import static dev.seamlab.seam.abi.StatusCode.OPERAND_INVALID;
import static dev.seamlab.seam.abi.StatusCode.TDCX_NUM_INCORRECT;
import static dev.seamlab.seam.abi.StatusCode.VCPU_STATE_INCORRECT;
import static dev.seamlab.seam.abi.StatusCode.X2APIC_ID_NOT_UNIQUE;

import dev.seamlab.machine.Registers;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.VcpuState;
import dev.seamlab.seam.core.Call;
import dev.seamlab.seam.core.LeafHandler;
import dev.seamlab.seam.core.TdAccess;
import dev.seamlab.seam.md.PlatformValues;
import dev.seamlab.seam.td.Tdcs;
import dev.seamlab.seam.td.Tdvps;
import dev.seamlab.seam.td.TimeStampCounter;

/**
 * TDH.VP.INIT: initial state of a vCPU, and its association with the calling CPU (facts: sections
 * 1.5 and 7.3).
 */
final class VpInit implements LeafHandler {
    private final TdAccess tds;
    private final VcpuAssociation association;

    VpInit(TdAccess tds, VcpuAssociation association) {
        this.tds = tds;
        this.association = association;
    }

    @Override
    public long execute(Call call) {
        long tdvpr = call.regs().rcx();
        long initialRcx = call.regs().rdx();
        long x2apicId = call.regs().r8();
        boolean withId = call.version() > 0;
        if (call.version() > 1) {
            return OPERAND_INVALID.with(Operand.RAX);
        }
        long status = tds.byTdvpr(call, tdvpr, Operand.RCX, true, withId);
        if (status == Status.SUCCESS) {
            status = tds.checkState(call, Leaf.VP_INIT, true);
        }
        if (status != Status.SUCCESS) {
            return status;
        }
        Tdvps vcpu = call.tdvps();
        Tdcs tdcs = call.tdcs();
        if (!association.hasAllPages(vcpu, tdcs)) {
            return TDCX_NUM_INCORRECT.word();
        }
        if (vcpu.state() != VcpuState.UNINITIALIZED) {
            return VCPU_STATE_INCORRECT.withDetail(vcpu.state().code());
        }
        // Two vCPUs may come here at once; whoever counts second and fails counts back.
        int index = tdcs.addVcpus(1);
        status = checkIdentity(tdcs, index, withId, x2apicId);
        if (status != Status.SUCCESS) {
            tdcs.addVcpus(-1);
            return status;
        }
        if (withId) {
            tdcs.x2apicId(index, (int) x2apicId);
        } else {
            tdcs.controls().topologyEnumConfigured(false);
            tdcs.controls().veReductionValid(false);
        }
        vcpu.index(index);
        vcpu.gprs()
                .clear()
                .rcx(initialRcx)
                .r8(initialRcx)
                .rdx(PlatformValues.FMS)
                .set(Registers.RBX, tdcs.config().gpaWidth());
        vcpu.gprs().set(Registers.RSI, index);
        vcpu.context().initialTsc(TimeStampCounter.now());
        vcpu.state(VcpuState.READY);
        association.associate(vcpu, tdcs, call.cpu());
        return Status.SUCCESS;
    }

    private static long checkIdentity(Tdcs tdcs, int index, boolean withId, long x2apicId) {
        if (index >= tdcs.config().maxVcpus()) {
            return MAX_VCPUS_EXCEEDED.word();
        }
        if (!withId) {
            return Status.SUCCESS;
        }
        if (x2apicId >>> Integer.SIZE != 0) {
            return OPERAND_INVALID.with(Operand.R8);
        }
        for (int other = 0; other < index; other++) {
            if (tdcs.x2apicId(other) == (int) x2apicId) {
                return X2APIC_ID_NOT_UNIQUE.withDetail(x2apicId);
            }
        }
        return Status.SUCCESS;
    }
}
