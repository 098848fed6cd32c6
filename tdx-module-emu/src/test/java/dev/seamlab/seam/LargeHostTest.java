// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam;

import static org.assertj.core.api.Assertions.assertThat;

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
import java.util.List;
import org.junit.jupiter.api.Test;

/** A host of 6 TiB costs next to nothing until somebody uses its pages. */
class LargeHostTest {
    private static final long SIZE = 6144 * Addresses.GIB;
    private static final long BASE = 4 * Addresses.GIB;
    private static final long BUFFER = 0x10_0000;
    private static final long MEBIBYTE = 1 << 20;

    @Test
    void bringUp_sixTebibytes_fitsInSixtyFourMebibytes() {
        long before = usedHeap();
        Machine machine = bringUp();
        long after = usedHeap();

        assertThat(after - before).isLessThan(64 * MEBIBYTE);
        assertThat(machine.memory().writtenPages()).isLessThan(8);
    }

    private static Machine bringUp() {
        AddressRange low = new AddressRange(0x10_0000, BASE);
        AddressRange high = new AddressRange(BASE, BASE + SIZE + 256 * Addresses.GIB);
        MachineProfile profile =
                new MachineProfile(
                        "large",
                        "large",
                        1,
                        1,
                        52,
                        new KeyIdPartition(6, 31, 32),
                        List.of(new NumaNode(List.of(low, high))),
                        List.of(low, high),
                        ModuleProfile.V1_5_25,
                        false);
        Machine machine = new Machine(profile);
        machine.load(new TdxModule(machine));
        long pamt = BASE + SIZE;
        var memory = machine.memory();
        TdmrInfo.writeRange(memory, BUFFER + 0x1000, BASE, SIZE);
        TdmrInfo.writePamt(memory, BUFFER + 0x1000, PageInfo.LEVEL_1G, pamt, 0x10_0000);
        TdmrInfo.writePamt(
                memory, BUFFER + 0x1000, PageInfo.LEVEL_2M, pamt + 0x10_0000, 0x400_0000);
        TdmrInfo.writePamt(
                memory, BUFFER + 0x1000, PageInfo.LEVEL_4K, pamt + 0x1000_0000, 0x1000_0000);
        memory.writeLong(BUFFER, BUFFER + 0x1000);
        call(machine, new Registers().rax(Leaf.SYS_INIT.number()));
        call(machine, new Registers().rax(Leaf.SYS_LP_INIT.number()));
        Registers config = new Registers().rax(Leaf.SYS_CONFIG.number()).rcx(BUFFER).rdx(1);
        call(machine, config.r8(0x20 | 1 << 16));
        call(machine, new Registers().rax(Leaf.SYS_KEY_CONFIG.number()));
        Registers regs = new Registers();
        do {
            call(machine, regs.clear().rax(Leaf.SYS_TDMR_INIT.number()).rcx(BASE));
        } while (regs.rdx() < BASE + SIZE);
        return machine;
    }

    private static void call(Machine machine, Registers regs) {
        long status = machine.seamcall(machine.cpus().getFirst(), regs);
        if (status != 0) {
            throw new AssertionError("bring-up failed: 0x" + Long.toHexString(status));
        }
    }

    private static long usedHeap() {
        System.gc();
        Runtime runtime = Runtime.getRuntime();
        return runtime.totalMemory() - runtime.freeMemory();
    }
}
