// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.cpu.HostCpus;
import dev.seamlab.machine.Machine;
import dev.seamlab.machine.Registers;
import dev.seamlab.machine.profile.MachineProfile;
import dev.seamlab.seam.ModuleView;
import dev.seamlab.seam.SeamcallListener;
import dev.seamlab.seam.TdxModule;
import dev.seamlab.seam.abi.Leaf;
import java.util.function.BooleanSupplier;

/**
 * A machine with a TDX module loaded, for those who speak to the module register by register. Calls
 * take their CPU as those of a host do, so both can go on at once.
 */
public final class RawMachine {
    private final Machine machine;
    private final TdxModule module;
    private final HostCpus cpus;

    private RawMachine(Machine machine, TdxModule module, HostCpus cpus) {
        this.machine = machine;
        this.module = module;
        this.cpus = cpus;
    }

    /** Switches a machine on: the module is loaded, and nothing is brought up. */
    public static RawMachine switchOn(MachineProfile profile, SeamcallListener seamcalls) {
        Machine machine = new Machine(profile);
        TdxModule module = new TdxModule(machine, seamcalls);
        machine.load(module);
        return new RawMachine(machine, module, new HostCpus(machine));
    }

    /** The same machine, with the CPUs handed out by the host that came up on it. */
    RawMachine sharing(HostCpus hostCpus) {
        return new RawMachine(machine, module, hostCpus);
    }

    /** The hardware. */
    public Machine machine() {
        return machine;
    }

    /** A read-only look inside the module, for auditors and checkers. */
    public ModuleView module() {
        return module.view();
    }

    /** Whether the module has a leaf. */
    public boolean has(Leaf leaf) {
        return module.has(leaf);
    }

    /** Whether a CPU is online; others execute nothing. */
    public boolean isOnline(int cpu) {
        return machine.cpus().get(cpu).isOnline();
    }

    /**
     * Executes SEAMCALL on a CPU once that is free.
     *
     * @param cpu index of a CPU that is online
     * @param regs operands in, results out
     * @param abandoned asked when the CPU is there; true means that nobody wants the call any more
     * @return whether the call was executed
     */
    public boolean call(int cpu, Registers regs, BooleanSupplier abandoned) {
        HostCpu claimed = cpus.claim(cpu);
        try {
            if (abandoned.getAsBoolean()) {
                return false;
            }
            claimed.regs().copyFrom(regs);
            long status = machine.seamcall(claimed.logical(), claimed.regs());
            regs.copyFrom(claimed.regs());
            regs.rax(status);
            return true;
        } finally {
            cpus.release(claimed);
        }
    }

    /** Makes a guest that runs on a CPU leave it. Does no harm where none runs. */
    public void interrupt(int cpu) {
        machine.cpus().get(cpu).raiseInterrupt();
    }
}
