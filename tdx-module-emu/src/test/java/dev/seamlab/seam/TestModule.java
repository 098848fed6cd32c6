// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Machine;
import dev.seamlab.machine.Registers;
import dev.seamlab.machine.profile.AddressRange;
import dev.seamlab.machine.profile.KeyIdPartition;
import dev.seamlab.machine.profile.MachineProfile;
import dev.seamlab.machine.profile.ModuleProfile;
import dev.seamlab.machine.profile.NumaNode;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.TdmrInfo;
import dev.seamlab.seam.core.InterruptModel;
import dev.seamlab.seam.core.ModuleState;
import java.util.List;

/**
 * A small machine with the module brought up: two CPUs, one TDMR of 4 GiB from 4 GiB on, its PAMT
 * and the host's buffers in the GiB above.
 */
public final class TestModule {
    /** First byte that TDs may use. */
    public static final long BASE = 4 * Addresses.GIB;

    /** A page for host buffers. */
    public static final long BUFFER = 8 * Addresses.GIB + 0x1000_0000;

    /** KeyID of the module itself. */
    public static final int GLOBAL_HKID = 0x20;

    private static final long PAMT = 8 * Addresses.GIB;
    private static final long TDMR_INFO = BUFFER + 0x1000;
    private static final long DYNAMIC = 1L << 16;

    private final Machine machine;
    private final TdxModule module;
    private int lastLeaf;
    private long lastStatus;

    private TestModule(ModuleProfile profile, InterruptModel interrupts) {
        List<AddressRange> memory = List.of(new AddressRange(0x10_0000, 10 * Addresses.GIB));
        machine =
                new Machine(
                        new MachineProfile(
                                "test",
                                "test",
                                1,
                                2,
                                52,
                                new KeyIdPartition(6, 31, 32),
                                List.of(new NumaNode(memory)),
                                memory,
                                profile,
                                false));
        module =
                new TdxModule(
                        machine,
                        (cpu, leaf, status) -> {
                            lastLeaf = leaf;
                            lastStatus = status;
                        },
                        interrupts);
        machine.load(module);
    }

    /** Ready, static PAMT. */
    public static TestModule staticPamt() {
        return with(ModuleProfile.V1_5_25, false);
    }

    /** Ready, Dynamic PAMT. */
    public static TestModule dynamicPamt() {
        return with(ModuleProfile.V1_5_25, true);
    }

    /** Ready; long leaves can be stopped as the model says. */
    public static TestModule with(boolean dynamic, InterruptModel interrupts) {
        return ready(new TestModule(ModuleProfile.V1_5_25, interrupts), dynamic);
    }

    static TestModule with(ModuleProfile profile, boolean dynamic) {
        return ready(new TestModule(profile, InterruptModel.NEVER), dynamic);
    }

    private static TestModule ready(TestModule test, boolean dynamic) {
        test.initialise();
        test.expect(test.configure(dynamic));
        test.expect(test.call(Leaf.SYS_KEY_CONFIG.number()));
        Registers regs = new Registers();
        do {
            regs.clear().rax(Leaf.SYS_TDMR_INIT.number()).rcx(BASE);
            test.expect(test.call(regs));
        } while (regs.rdx() < BASE + 4 * Addresses.GIB);
        return test;
    }

    static TestModule unconfigured(ModuleProfile profile) {
        TestModule test = new TestModule(profile, InterruptModel.NEVER);
        test.initialise();
        return test;
    }

    private void initialise() {
        expect(call(Leaf.SYS_INIT.number()));
        for (int cpu = 0; cpu < 2; cpu++) {
            expect(call(cpu, new Registers().rax(Leaf.SYS_LP_INIT.number())));
        }
    }

    long configure(boolean dynamic) {
        var memory = machine.memory();
        TdmrInfo.writeRange(memory, TDMR_INFO, BASE, 4 * Addresses.GIB);
        TdmrInfo.writePamt(memory, TDMR_INFO, PageInfo.LEVEL_1G, PAMT, 0x1000);
        TdmrInfo.writePamt(memory, TDMR_INFO, PageInfo.LEVEL_2M, PAMT + 0x1000, 0x8000);
        TdmrInfo.writePamt(memory, TDMR_INFO, PageInfo.LEVEL_4K, PAMT + 0x10000, 0x100_0000);
        memory.writeLong(BUFFER, TDMR_INFO);
        Registers regs =
                new Registers()
                        .rax(Leaf.SYS_CONFIG.number())
                        .rcx(BUFFER)
                        .rdx(1)
                        .r8(GLOBAL_HKID | (dynamic ? DYNAMIC : 0));
        return call(regs);
    }

    /** A call on CPU 0 with zero operands. */
    public long call(int leaf) {
        return call(new Registers().rax(leaf));
    }

    /** A call on CPU 0. */
    public long call(Registers regs) {
        return call(0, regs);
    }

    /** A call on a CPU. */
    public long call(int cpu, Registers regs) {
        return machine.seamcall(machine.cpus().get(cpu), regs);
    }

    /** A call on CPU 0 with up to three operands. */
    public long call(Leaf leaf, long rcx, long rdx, long r8) {
        return call(new Registers().rax(leaf.number()).rcx(rcx).rdx(rdx).r8(r8));
    }

    public Machine machine() {
        return machine;
    }

    public TdxModule module() {
        return module;
    }

    LeafTable leaves() {
        return new LeafTable(new ModuleState(machine));
    }

    int lastLeaf() {
        return lastLeaf;
    }

    long lastStatus() {
        return lastStatus;
    }

    private void expect(long status) {
        if (status != 0) {
            throw new AssertionError("bring-up failed: 0x" + Long.toHexString(status));
        }
    }
}
