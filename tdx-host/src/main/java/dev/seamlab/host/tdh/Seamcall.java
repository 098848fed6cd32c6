// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.tdh;

import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.machine.Machine;
import dev.seamlab.machine.Registers;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.StatusCode;

/**
 * The one place from which the host executes SEAMCALL. Like the kernel it repeats a leaf up to ten
 * times in all while the module finds no entropy (facts: module ABI section 1.1).
 */
final class Seamcall {
    private static final int ATTEMPTS = 10;

    private final Machine machine;

    Seamcall(Machine machine) {
        this.machine = machine;
    }

    /** Calls a leaf of version 0 with the operands in the CPU's registers. */
    long call(HostCpu cpu, Leaf leaf) {
        return call(cpu, leaf, 0);
    }

    /** Calls a leaf with the operands in the CPU's registers. */
    long call(HostCpu cpu, Leaf leaf, int version) {
        Registers regs = cpu.regs();
        // A failing leaf may zero its output registers; a repeat needs the operands once more.
        // No leaf that draws random numbers has operands beyond these.
        long rcx = regs.rcx();
        long rdx = regs.rdx();
        long r8 = regs.r8();
        long status = machine.seamcall(cpu.logical(), regs.rax(leaf.rax(version)));
        for (int attempt = 1; attempt < ATTEMPTS && isOutOfEntropy(status); attempt++) {
            regs.rax(leaf.rax(version)).rcx(rcx).rdx(rdx).r8(r8);
            status = machine.seamcall(cpu.logical(), regs);
        }
        return status;
    }

    private static boolean isOutOfEntropy(long status) {
        return StatusCode.RND_NO_ENTROPY.matches(status);
    }
}
