// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.guest;

import static dev.seamlab.seam.abi.StatusCode.HOST_PRIORITY_BUSY_TIMEOUT;
import static dev.seamlab.seam.abi.StatusCode.OPERAND_BUSY;
import static dev.seamlab.seam.abi.StatusCode.OPERAND_BUSY_HOST_PRIORITY;
import static dev.seamlab.seam.abi.StatusCode.OPERAND_INVALID;

import dev.seamlab.machine.GuestMode.Outcome;
import dev.seamlab.machine.Registers;
import dev.seamlab.machine.sched.Waits;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.TdcallLeaf;
import dev.seamlab.seam.td.VcpuContext;
import org.jspecify.annotations.Nullable;

/**
 * Decodes the guest's RAX and runs the leaf (facts: module ABI section 2.1). The guest is always in
 * 64-bit mode at privilege level 0, so TDCALL itself never faults.
 *
 * <p>A guest that keeps losing a lock to a host that marked it as wanted sees plain OPERAND_BUSY,
 * until HP_LOCK_TIMEOUT has passed since the first time; then the TD exits (facts: section 12.1).
 */
final class TdcallDispatcher {
    private static final int VERSION_SHIFT = 16;
    private static final int RESERVED_SHIFT = 24;
    private static final long NANOS_PER_MICRO = 1_000;

    private final Tdcalls leaves;

    TdcallDispatcher(Tdcalls leaves) {
        this.leaves = leaves;
    }

    Outcome execute(GuestCpu cpu) {
        Registers gprs = cpu.gprs();
        long status = dispatch(cpu, gprs.rax());
        if (status == GuestCpu.NOT_COMPLETED) {
            return cpu.outcome();
        }
        if ((status & Status.CODE_MASK) == OPERAND_BUSY_HOST_PRIORITY.word()) {
            status = OPERAND_BUSY.word() | Status.detail(status);
            gprs.rax(status);
            if (isTimeUp(cpu)) {
                cpu.exitWithStatus(HOST_PRIORITY_BUSY_TIMEOUT);
                return cpu.outcome();
            }
        } else {
            cpu.context().hostPriorityBusySince(VcpuContext.NOT_BUSY);
        }
        gprs.rax(status);
        return Outcome.DONE;
    }

    private long dispatch(GuestCpu cpu, long rax) {
        if (rax >>> RESERVED_SHIFT != 0) {
            return OPERAND_INVALID.with(Operand.RAX);
        }
        int version = (int) (rax >>> VERSION_SHIFT);
        @Nullable TdcallLeaf leaf = TdcallLeaf.of((int) rax & 0xFFFF);
        // A leaf with versions judges its own; an unknown leaf has none.
        if (leaf == null || (version > 0 && leaf.maxVersion() == 0)) {
            return OPERAND_INVALID.with(Operand.RAX);
        }
        TdcallHandler handler = leaves.handler(leaf);
        return handler == null ? OPERAND_INVALID.with(Operand.RAX) : handler.execute(cpu, version);
    }

    private static boolean isTimeUp(GuestCpu cpu) {
        VcpuContext context = cpu.context();
        long now = Waits.nanoTime();
        if (context.hostPriorityBusySince() == VcpuContext.NOT_BUSY) {
            context.hostPriorityBusySince(now);
            return false;
        }
        long limit = cpu.tdcs().controls().hpLockTimeout() * NANOS_PER_MICRO;
        if (now - context.hostPriorityBusySince() < limit) {
            return false;
        }
        context.hostPriorityBusySince(VcpuContext.NOT_BUSY);
        return true;
    }
}
