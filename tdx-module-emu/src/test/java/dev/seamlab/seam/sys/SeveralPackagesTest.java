// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.sys;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Machine;
import dev.seamlab.machine.Registers;
import dev.seamlab.machine.profile.AddressRange;
import dev.seamlab.machine.profile.KeyIdPartition;
import dev.seamlab.machine.profile.MachineProfile;
import dev.seamlab.machine.profile.ModuleProfile;
import dev.seamlab.machine.profile.NumaNode;
import dev.seamlab.seam.TdxModule;
import dev.seamlab.seam.abi.GlobalField;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.StatusCode;
import dev.seamlab.seam.abi.TdmrInfo;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Three packages of two CPUs: keys and caches are each package's own (facts: section 7.4). */
class SeveralPackagesTest {
    private static final int PACKAGES = 3;
    private static final int CPUS_PER_PACKAGE = 2;
    private static final long BASE = 4 * Addresses.GIB;
    private static final long BUFFER = 6 * Addresses.GIB;
    private static final long PAMT = 7 * Addresses.GIB;
    private static final long PKG_CONFIG_BITMAP = 0x8110_0003_0000_0002L;

    private final Machine machine = machine();
    private final Registers regs = new Registers();

    private static Machine machine() {
        List<AddressRange> memory = List.of(new AddressRange(0x10_0000, 8 * Addresses.GIB));
        Machine machine =
                new Machine(
                        new MachineProfile(
                                "packages",
                                "",
                                PACKAGES,
                                CPUS_PER_PACKAGE,
                                52,
                                new KeyIdPartition(6, 31, 32),
                                List.of(new NumaNode(memory)),
                                memory,
                                ModuleProfile.V1_5_25,
                                false));
        machine.load(new TdxModule(machine));
        return machine;
    }

    private long call(int cpu, Leaf leaf, long rcx, long rdx, long r8) {
        regs.clear().rax(leaf.number()).rcx(rcx).rdx(rdx).r8(r8);
        return machine.seamcall(machine.cpus().get(cpu), regs);
    }

    private void ok(int cpu, Leaf leaf, long rcx, long rdx, long r8) {
        long status = call(cpu, leaf, rcx, rdx, r8);
        assertThat(status).as("%s: %s", leaf, Status.show(status)).isZero();
    }

    private static int firstCpuOf(int packageIndex) {
        return packageIndex * CPUS_PER_PACKAGE;
    }

    private void configure() {
        ok(0, Leaf.SYS_INIT, 0, 0, 0);
        for (int cpu = 0; cpu < PACKAGES * CPUS_PER_PACKAGE; cpu++) {
            ok(cpu, Leaf.SYS_LP_INIT, 0, 0, 0);
        }
        var memory = machine.memory();
        long info = BUFFER + 0x1000;
        TdmrInfo.writeRange(memory, info, BASE, Addresses.GIB);
        TdmrInfo.writePamt(memory, info, PageInfo.LEVEL_1G, PAMT, 0x1000);
        TdmrInfo.writePamt(memory, info, PageInfo.LEVEL_2M, PAMT + 0x1000, 0x2000);
        TdmrInfo.writePamt(memory, info, PageInfo.LEVEL_4K, PAMT + 0x10_0000, 0x40_0000);
        memory.writeLong(BUFFER, info);
        ok(0, Leaf.SYS_CONFIG, BUFFER, 1, 0x20);
    }

    private void bringUp() {
        configure();
        for (int i = 0; i < PACKAGES; i++) {
            ok(firstCpuOf(i), Leaf.SYS_KEY_CONFIG, 0, 0, 0);
        }
        do {
            ok(0, Leaf.SYS_TDMR_INIT, BASE, 0, 0);
        } while (regs.rdx() < BASE + Addresses.GIB);
    }

    @Test
    void sysKeyConfig_oncePerPackage_theLastMakesTheModuleReady() {
        configure();
        ok(0, Leaf.SYS_KEY_CONFIG, 0, 0, 0);
        assertThat(call(1, Leaf.SYS_KEY_CONFIG, 0, 0, 0))
                .as("the other CPU of the package")
                .isEqualTo(StatusCode.KEY_CONFIGURED.word());
        assertThat(call(0, Leaf.SYS_TDMR_INIT, BASE, 0, 0))
                .isEqualTo(StatusCode.SYS_NOT_READY.word());
        ok(3, Leaf.SYS_KEY_CONFIG, 0, 0, 0);
        assertThat(call(2, Leaf.SYS_KEY_CONFIG, 0, 0, 0))
                .isEqualTo(StatusCode.KEY_CONFIGURED.word());
        ok(4, Leaf.SYS_KEY_CONFIG, 0, 0, 0);
        assertThat(call(5, Leaf.SYS_KEY_CONFIG, 0, 0, 0))
                .isEqualTo(StatusCode.SYS_KEY_CONFIG_NOT_PENDING.word());
        ok(0, Leaf.SYS_TDMR_INIT, BASE, 0, 0);
        ok(0, Leaf.SYS_RD, 0, GlobalField.NUM_PKGS.id(), 0);
        assertThat(regs.r8()).isEqualTo(PACKAGES);
    }

    @Test
    void mngKeyConfig_oncePerPackage_theLastMakesTheTdUsable() {
        bringUp();
        ok(0, Leaf.MNG_CREATE, BASE, 0x21, 0);
        ok(0, Leaf.MNG_KEY_CONFIG, BASE, 0, 0);
        assertThat(call(1, Leaf.MNG_KEY_CONFIG, BASE, 0, 0))
                .isEqualTo(StatusCode.KEY_CONFIGURED.word());
        assertThat(call(0, Leaf.MNG_ADDCX, BASE + 0x1000, BASE, 0))
                .isEqualTo(StatusCode.TD_KEYS_NOT_CONFIGURED.word());
        ok(5, Leaf.MNG_KEY_CONFIG, BASE, 0, 0);
        ok(2, Leaf.MNG_KEY_CONFIG, BASE, 0, 0);
        assertThat(call(3, Leaf.MNG_KEY_CONFIG, BASE, 0, 0))
                .isEqualTo(StatusCode.LIFECYCLE_STATE_INCORRECT.word());
        ok(0, Leaf.MNG_ADDCX, BASE + 0x1000, BASE, 0);
        assertThat(call(0, Leaf.MNG_RD, BASE, PKG_CONFIG_BITMAP, 0))
                .isEqualTo(StatusCode.TDCS_NOT_ALLOCATED.word());
    }

    @Test
    void keyId_freeOnlyWhenEveryPackageHasWrittenItsCacheBack() {
        bringUp();
        ok(0, Leaf.MNG_CREATE, BASE, 0x21, 0);
        ok(0, Leaf.MNG_VPFLUSHDONE, BASE, 0, 0);
        for (int i = PACKAGES - 1; i >= 0; i--) {
            assertThat(call(0, Leaf.MNG_KEY_FREEID, BASE, 0, 0))
                    .isEqualTo(StatusCode.WBCACHE_NOT_COMPLETE.word());
            ok(firstCpuOf(i), Leaf.PHYMEM_CACHE_WB, 0, 0, 0);
        }
        ok(0, Leaf.MNG_KEY_FREEID, BASE, 0, 0);
        ok(0, Leaf.PHYMEM_PAGE_RECLAIM, BASE, 0, 0);
        ok(0, Leaf.MNG_CREATE, BASE, 0x21, 0);
    }
}
