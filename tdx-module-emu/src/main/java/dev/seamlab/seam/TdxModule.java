// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam;

import static dev.seamlab.seam.abi.StatusCode.OPERAND_INVALID;
import static dev.seamlab.seam.abi.StatusCode.SYS_NOT_READY;
import static dev.seamlab.seam.abi.StatusCode.SYS_SHUTDOWN;

import dev.seamlab.machine.LogicalCpu;
import dev.seamlab.machine.Machine;
import dev.seamlab.machine.Registers;
import dev.seamlab.machine.Seam;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.core.Call;
import dev.seamlab.seam.core.InterruptModel;
import dev.seamlab.seam.core.LeafHandler;
import dev.seamlab.seam.core.ModuleState;
import dev.seamlab.seam.core.SysState;
import org.jspecify.annotations.Nullable;

/**
 * The emulated TDX module: decodes RAX, decides whether the leaf may run in the module's state, and
 * runs it (facts: module ABI section 1.1). Load it with {@link Machine#load}.
 */
public final class TdxModule implements Seam {
    private static final int VERSION_SHIFT = 16;
    private static final int RESERVED_SHIFT = 24;

    private final ModuleState state;
    private final LeafTable leaves;
    private final SeamcallListener listener;

    public TdxModule(Machine machine) {
        this(machine, SeamcallListener.NONE);
    }

    public TdxModule(Machine machine, SeamcallListener listener) {
        this(machine, listener, InterruptModel.NEVER);
    }

    /**
     * @param listener told of each call
     * @param interrupts what can stop a long leaf
     */
    public TdxModule(Machine machine, SeamcallListener listener, InterruptModel interrupts) {
        this.state = new ModuleState(machine, interrupts);
        this.leaves = new LeafTable(state);
        this.listener = listener;
    }

    @Override
    public long call(LogicalCpu cpu, Registers regs) {
        long rax = regs.rax();
        long status = dispatch(cpu, regs, rax);
        regs.rax(status);
        listener.completed(cpu.index(), (int) rax & 0xFFFF, status);
        return status;
    }

    /** Whether this module has a leaf. One that it does not have is unknown to its dispatcher. */
    public boolean has(Leaf leaf) {
        return leaves.handler(leaf) != null;
    }

    /** A read-only look inside; not part of the ABI, for auditors and tests. */
    public ModuleView view() {
        return new ModuleView(state);
    }

    /** The global data; for tests. */
    ModuleState state() {
        return state;
    }

    private long dispatch(LogicalCpu cpu, Registers regs, long rax) {
        if (rax >>> RESERVED_SHIFT != 0) {
            return OPERAND_INVALID.with(Operand.RAX);
        }
        int version = (int) (rax >>> VERSION_SHIFT);
        @Nullable Leaf leaf = Leaf.of((int) rax & 0xFFFF);
        // A leaf with versions judges its own; an unknown leaf has none.
        if (version > 0 && (leaf == null || leaf.maxVersion() == 0)) {
            return OPERAND_INVALID.with(Operand.RAX);
        }
        if (!state.isReady()) {
            if (state.sysState() == SysState.SHUTDOWN && leaf != Leaf.SYS_LP_SHUTDOWN) {
                return SYS_SHUTDOWN.word();
            }
            // The state may just have become READY; then the leaf came a moment too early.
            if (leaf == null || !LeafTable.runsBeforeReady(leaf)) {
                return SYS_NOT_READY.word();
            }
        }
        LeafHandler handler = leaf == null ? null : leaves.handler(leaf);
        if (handler == null) {
            return OPERAND_INVALID.with(Operand.RAX);
        }
        Call call = state.call(cpu.index());
        call.begin(regs, version, leaf == Leaf.VP_ENTER);
        state.enter(cpu.index());
        try {
            return leaves.execute(handler, call);
        } finally {
            call.end();
            state.leave(cpu.index());
        }
    }
}
