// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.guest;

import dev.seamlab.machine.LogicalCpu;
import dev.seamlab.machine.Machine;
import dev.seamlab.machine.Registers;
import dev.seamlab.machine.Seam;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.core.Call;
import dev.seamlab.seam.core.LeafHandler;
import dev.seamlab.seam.core.ModuleState;
import dev.seamlab.seam.core.PageAccess;
import dev.seamlab.seam.core.TdAccess;
import dev.seamlab.seam.mem.MemLeaves;
import dev.seamlab.seam.mng.MngLeaves;
import dev.seamlab.seam.mr.MrLeaves;
import dev.seamlab.seam.phymem.PhymemLeaves;
import dev.seamlab.seam.sys.SysLeaves;
import dev.seamlab.seam.vp.VpLeaves;
import java.util.EnumMap;
import java.util.Map;
import java.util.Objects;

/**
 * The module's leaves over a state that a test can look into and tamper with: for situations that
 * only truly parallel host calls bring about.
 */
final class OpenModule implements Seam {
    final ModuleState state;
    private final Map<Leaf, LeafHandler> leaves = new EnumMap<>(Leaf.class);

    OpenModule(Machine machine) {
        state = new ModuleState(machine);
        PageAccess pages = new PageAccess(state);
        TdAccess tds = new TdAccess(state, pages);
        SysLeaves.register(state, leaves::put);
        MngLeaves.register(state, pages, tds, leaves::put);
        MemLeaves.register(state, pages, tds, leaves::put);
        MrLeaves.register(state, tds, leaves::put);
        VpLeaves.register(state, pages, tds, leaves::put);
        PhymemLeaves.register(state, pages, tds, leaves::put);
    }

    @Override
    public long call(LogicalCpu cpu, Registers regs) {
        Leaf leaf = Objects.requireNonNull(Leaf.of((int) regs.rax() & 0xFFFF));
        Call call = state.call(cpu.index());
        call.begin(regs, (int) (regs.rax() >>> 16), leaf == Leaf.VP_ENTER);
        try {
            long status = Objects.requireNonNull(leaves.get(leaf)).execute(call);
            regs.rax(status);
            return status;
        } finally {
            call.end();
        }
    }
}
