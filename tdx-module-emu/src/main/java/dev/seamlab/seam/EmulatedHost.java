// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam;

import dev.seamlab.machine.Hpa;
import dev.seamlab.machine.Machine;
import dev.seamlab.machine.Registers;
import dev.seamlab.machine.profile.AddressRange;
import dev.seamlab.machine.profile.KeyIdPartition;
import dev.seamlab.machine.profile.MachineProfile;
import dev.seamlab.machine.profile.ModuleProfile;
import dev.seamlab.machine.profile.NumaNode;
import dev.seamlab.seam.core.InterruptModel;
import java.util.List;

/**
 * The way in for programs that only want to issue SEAMCALLs and look at memory, such as a replay of
 * recorded traces: a machine with the module loaded, nothing initialised, all memory zero.
 *
 * <pre>{@code
 * EmulatedHost host = new EmulatedHost(BuiltInProfiles.defaultProfile());
 * Registers regs = new Registers().rax(Leaf.SYS_INIT.number());
 * long status = host.call(0, regs);
 * }</pre>
 *
 * For what runs in a guest, see {@link Machine#bindGuest}.
 */
public final class EmulatedHost {
    private final Machine machine;
    private final TdxModule module;

    /** A host after a profile, on which no long leaf is ever interrupted. */
    public EmulatedHost(MachineProfile profile) {
        this(profile, InterruptModel.NEVER);
    }

    /**
     * @param profile what the hardware and the module are
     * @param interrupts what can stop a long leaf
     */
    public EmulatedHost(MachineProfile profile, InterruptModel interrupts) {
        machine = new Machine(profile);
        module = new TdxModule(machine, SeamcallListener.NONE, interrupts);
        machine.load(module);
    }

    /**
     * A profile from bare facts. The memory that the machine has is the memory in the CMRs.
     *
     * @param packages sockets
     * @param cpusPerPackage logical CPUs of each
     * @param physicalBits MAXPA
     * @param hkidBits KeyID bits, the topmost of the physical address
     * @param firstPrivateHkid first KeyID that belongs to TDX
     * @param lastPrivateHkid last one
     * @param cmrs convertible memory, ascending, at most 32
     * @param module the module to load
     */
    public static MachineProfile profile(
            int packages,
            int cpusPerPackage,
            int physicalBits,
            int hkidBits,
            int firstPrivateHkid,
            int lastPrivateHkid,
            List<AddressRange> cmrs,
            ModuleProfile module) {
        return new MachineProfile(
                "explicit",
                "Built from an explicit list of CMRs",
                packages,
                cpusPerPackage,
                physicalBits,
                new KeyIdPartition(
                        hkidBits, firstPrivateHkid - 1, lastPrivateHkid - firstPrivateHkid + 1),
                List.of(new NumaNode(cmrs)),
                cmrs,
                module,
                false);
    }

    /**
     * Executes SEAMCALL on a logical CPU. One call at a time per CPU; different CPUs may call from
     * different threads.
     *
     * @param regs operands in, results out; RAX selects the leaf and holds the status afterwards
     * @return the completion status
     */
    public long call(int cpu, Registers regs) {
        return machine.seamcall(machine.cpus().get(cpu), regs);
    }

    /** Writes host memory. The KeyID is not part of the address: the model does not encrypt. */
    public void write(@Hpa long address, byte[] bytes) {
        machine.memory().write(address, bytes, 0, bytes.length);
    }

    /** Reads host memory; what nobody wrote is zero. */
    public byte[] read(@Hpa long address, int length) {
        byte[] bytes = new byte[length];
        machine.memory().read(address, bytes, 0, length);
        return bytes;
    }

    /** The hardware below, for more than memory and calls. */
    public Machine machine() {
        return machine;
    }

    /** The module, for its read-only view. */
    public TdxModule module() {
        return module;
    }
}
