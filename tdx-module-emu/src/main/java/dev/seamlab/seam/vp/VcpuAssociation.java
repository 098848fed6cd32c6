// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.vp;

import dev.seamlab.machine.LogicalCpu;
import dev.seamlab.seam.core.ModuleState;
import dev.seamlab.seam.td.Tdcs;
import dev.seamlab.seam.td.Tdvps;

/**
 * Which logical CPU may hold state of a vCPU. VP.INIT, VP.ENTER, VP.RD and VP.WR associate,
 * VP.FLUSH ends it (facts: section 1.5).
 */
final class VcpuAssociation {
    private static final int PAGES_PER_L2_VM = 3;

    private final int basePages;

    VcpuAssociation(ModuleState state) {
        this.basePages = state.profile().module().tdvpsPages();
    }

    /** Whether the control structure has its pages, those for L2 VMs included. */
    boolean hasAllPages(Tdvps vcpu, Tdcs tdcs) {
        return vcpu.pageCount() >= basePages + PAGES_PER_L2_VM * tdcs.config().numL2Vms();
    }

    /** Associates with a CPU. Returns false if the vCPU is associated with another one. */
    boolean associate(Tdvps vcpu, Tdcs tdcs, LogicalCpu cpu) {
        if (vcpu.associatedCpu() == cpu.index()) {
            return true; // as at every entry but the first; only this CPU could end it
        }
        if (vcpu.associate(cpu.index())) {
            tdcs.addAssociatedVcpus(1);
            vcpu.context().newlyAssociated(true);
            return true;
        }
        return vcpu.associatedCpu() == cpu.index();
    }

    /** Ends the association. Returns false if the vCPU is not associated with this CPU. */
    boolean flush(Tdvps vcpu, Tdcs tdcs, LogicalCpu cpu) {
        if (vcpu.associatedCpu() != cpu.index()) {
            return false;
        }
        vcpu.dissociate();
        tdcs.addAssociatedVcpus(-1);
        return true;
    }
}
