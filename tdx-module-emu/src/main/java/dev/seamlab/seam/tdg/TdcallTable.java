// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.tdg;

import dev.seamlab.machine.profile.ModuleProfile;
import dev.seamlab.seam.abi.TdcallLeaf;
import dev.seamlab.seam.core.ModuleState;
import dev.seamlab.seam.guest.TdcallHandler;
import dev.seamlab.seam.guest.Tdcalls;
import dev.seamlab.seam.md.SysFields;
import org.jspecify.annotations.Nullable;

/**
 * Dispatch: guest-side leaf to handler. A leaf without a row is unknown to this module and answers
 * OPERAND_INVALID for RAX: TDG.MR.VERIFYREPORT where the CPU cannot verify reports.
 */
public final class TdcallTable implements Tdcalls {
    private final @Nullable TdcallHandler[] handlers =
            new @Nullable TdcallHandler[TdcallLeaf.values().length];

    public TdcallTable(ModuleState state) {
        row(TdcallLeaf.VP_VMCALL, VcpuLeaves::vmcall);
        row(TdcallLeaf.VP_INFO, VcpuLeaves::info);
        row(TdcallLeaf.VP_VEINFO_GET, VcpuLeaves::veInfoGet);
        row(TdcallLeaf.VP_CPUIDVE_SET, VcpuLeaves::cpuidVeSet);
        row(TdcallLeaf.MEM_PAGE_ACCEPT, new MemPageAccept());
        row(TdcallLeaf.MEM_PAGE_ATTR_RD, MemPageAttr::read);
        row(TdcallLeaf.MEM_PAGE_ATTR_WR, MemPageAttr::write);
        row(TdcallLeaf.MR_RTMR_EXTEND, new MrRtmrExtend());
        MockReportKey key = new MockReportKey(state.profile().name());
        row(TdcallLeaf.MR_REPORT, new MrReport(key));
        if (state.profile().module().hasFeature(ModuleProfile.FEATURE_LOCAL_ATTESTATION)) {
            row(TdcallLeaf.MR_VERIFYREPORT, new MrVerifyReport(key));
        }
        row(TdcallLeaf.VM_RD, VmMetadata::read);
        row(TdcallLeaf.VM_WR, VmMetadata::write);
        row(TdcallLeaf.VP_RD, VpMetadata::read);
        row(TdcallLeaf.VP_WR, VpMetadata::write);
        SysMetadata sys = new SysMetadata(new SysFields(state.profile()));
        row(TdcallLeaf.SYS_RD, sys::read);
        row(TdcallLeaf.SYS_RDALL, sys::readAll);
        row(TdcallLeaf.VP_ENTER, NestedLeaves::vpEnter);
        row(TdcallLeaf.VP_INVEPT, NestedLeaves::invept);
        row(TdcallLeaf.VP_INVVPID, NestedLeaves::invvpid);
        row(TdcallLeaf.SERVTD_RD, NestedLeaves::servtdRead);
        row(TdcallLeaf.SERVTD_WR, NestedLeaves::servtdWrite);
    }

    @Override
    public @Nullable TdcallHandler handler(TdcallLeaf leaf) {
        return handlers[leaf.ordinal()];
    }

    private void row(TdcallLeaf leaf, TdcallHandler handler) {
        assert handlers[leaf.ordinal()] == null : "two rows for " + leaf;
        handlers[leaf.ordinal()] = handler;
    }
}
