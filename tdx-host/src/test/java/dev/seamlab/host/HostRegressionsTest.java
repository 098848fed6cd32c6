// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.init.InitStep;
import dev.seamlab.host.init.TdxInitException;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.host.pamt.DecAndLockBacking;
import dev.seamlab.host.pamt.StaticBacking;
import dev.seamlab.machine.Machine;
import dev.seamlab.machine.Registers;
import dev.seamlab.machine.profile.AddressRange;
import dev.seamlab.machine.profile.ModuleProfile;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.StatusCode;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.EnumSource.Mode;

/** Configurations and CPU states that went wrong in the series. */
class HostRegressionsTest {
    private static final long MIB = 1L << 20;

    private final List<String> log = new ArrayList<>();

    private TdxHost up(Machine machine, Preset preset) throws TdxInitException {
        return TdxHost.bringUp(machine, preset.policy(), log::add);
    }

    private static Machine olderModule() {
        Machine machine =
                new Machine(
                        Hosts.with(ModuleProfile.V1_5_16, false, new AddressRange(MIB, 256 * MIB)));
        ScriptedSeam.loadInto(machine);
        return machine;
    }

    @ParameterizedTest
    @EnumSource(value = Preset.class, mode = Mode.EXCLUDE, names = "STATIC")
    @DisplayName("R-05: walking the refcounts of a host without Dynamic PAMT crashes")
    void r05_moduleWithoutDynamicPamt_hasNoRefcountsToWalk(Preset preset) throws Exception {
        TdxHost host = up(olderModule(), preset);
        assertThat(host.refcounts()).isEmpty();
        assertThat(host.pages().usedPages(PageUse.REFCOUNTS)).isZero();
        HostCpu cpu = host.cpus().claim(0);
        assertThat(host.backing().get(cpu, 512, host.sleepingPairs(0))).isEqualTo(Errno.OK);
        host.backing().put(cpu, 512);
        host.cpus().release(cpu);
        assertThat(host.memoryReport().refcountBytes()).isZero();
        assertThat(HostAuditor.audit(host)).isEmpty();
    }

    @Test
    @DisplayName("R-50: the last CPU of a package goes offline, and a KeyID cannot be released")
    void r50_lastCpuOfAPackage_staysWhileAGuestHasAKeyId() throws Exception {
        Machine machine = new Machine(Hosts.twoPackages());
        ScriptedSeam.loadInto(machine);
        TdxHost host = up(machine, Preset.V4);
        log.clear();
        int keyId = host.keyIds().allocate();
        assertThat(host.offline(2)).isEqualTo(Errno.OK);
        assertThat(host.offline(3)).isEqualTo(Errno.EBUSY);
        assertThat(machine.cpus().get(3).isOnline()).isTrue();
        assertThat(log)
                .containsExactly(
                        "virt/tdx: TDX requires all packages to have an online CPU. Delete all TDs"
                                + " in order to offline all CPUs of a package.");
        host.keyIds().free(keyId);
        assertThat(host.offline(3)).isEqualTo(Errno.OK);
        assertThat(host.cpus().isPackageOnline(1)).isFalse();
        assertThat(host.online(3)).isEqualTo(Errno.OK);
        assertThat(host.cpus().isPackageOnline(1)).isTrue();
    }

    @Test
    void lastCpuOfAll_stays() throws Exception {
        Machine machine = new Machine(Hosts.small());
        ScriptedSeam.loadInto(machine);
        TdxHost host = up(machine, Preset.V4);
        assertThat(host.offline(0)).isEqualTo(Errno.OK);
        assertThat(host.offline(0)).isEqualTo(Errno.OK);
        assertThat(host.offline(1)).isEqualTo(Errno.EBUSY);
    }

    @Test
    void cpuThatIsOfflineAtBoot_keepsThisModuleFromBeingConfigured() {
        Machine machine = new Machine(Hosts.twoPackages());
        ScriptedSeam.loadInto(machine);
        machine.cpus().get(1).setOnline(false);
        TdxInitException e =
                catchThrowableOfType(TdxInitException.class, () -> up(machine, Preset.V4));
        assertThat(e.step()).isEqualTo(InitStep.SYS_CONFIG);
        assertThat(StatusCode.SYS_CONFIG_NOT_PENDING.matches(e.status())).isTrue();
    }

    @Test
    void cpuThatWasOfflineAtBoot_hasItsLpInitWhenItComes() throws Exception {
        Machine machine = new Machine(Hosts.twoPackages());
        ScriptedSeam seam = ScriptedSeam.loadInto(machine);
        // A module that does not wait for all CPUs: somebody else initialises the absent one.
        machine.observe(loaded ->
                (cpu, regs) -> {
                    boolean first = regs.rax() == Leaf.SYS_LP_INIT.rax(0) && cpu.index() == 0;
                    if (first) {
                        Registers absent = new Registers().rax(Leaf.SYS_LP_INIT.rax(0));
                        seam.module().call(machine.cpus().get(1), absent);
                    }
                    return loaded.call(cpu, regs);
                });
        machine.cpus().get(1).setOnline(false);
        TdxHost host = up(machine, Preset.V4);
        assertThat(seam.calls(Leaf.SYS_LP_INIT)).isEqualTo(3);
        log.clear();
        seam.refuseNext(Leaf.SYS_LP_INIT, StatusCode.OPERAND_BUSY.with(Operand.SYS));
        assertThat(host.online(1)).isEqualTo(Errno.EIO);
        assertThat(machine.cpus().get(1).isOnline()).isFalse();
        assertThat(log)
                .containsExactly(
                        "virt/tdx: SEAMCALL (0x0000000000000023) failed: 0x80000200"
                                + String.format("%08x", Operand.SYS.id()));
        seam.refuseNext(Leaf.SYS_LP_INIT, 0);
        assertThat(host.online(1)).isEqualTo(Errno.OK);
        assertThat(seam.calls(Leaf.SYS_LP_INIT)).isEqualTo(5);
        assertThat(host.offline(1)).isEqualTo(Errno.OK);
        assertThat(host.online(1)).isEqualTo(Errno.OK);
        assertThat(seam.calls(Leaf.SYS_LP_INIT)).as("once a CPU").isEqualTo(5);
    }

    @Test
    void cpuThatGoesOffline_isAnnouncedOnItselfWhileStillOnline() throws Exception {
        Machine machine = new Machine(Hosts.twoPackages());
        ScriptedSeam.loadInto(machine);
        TdxHost host = up(machine, Preset.V4);
        List<String> told = new ArrayList<>();
        Consumer<HostCpu> listener = cpu -> told.add(cpu + " " + cpu.logical().isOnline());
        host.addOfflineListener(listener);
        host.offline(2);
        host.offline(2);
        host.removeOfflineListener(listener);
        host.offline(1);
        assertThat(told).containsExactly("cpu2 true");
    }

    @Test
    void cpuThatGoesOffline_givesItsPageListBack() throws Exception {
        Machine machine = new Machine(Hosts.small());
        ScriptedSeam.loadInto(machine);
        TdxHost host = up(machine, Preset.V4);
        long free = host.pages().freePages();
        HostCpu cpu = host.cpus().claim(1);
        long page = host.pages().allocate(cpu, PageUse.HOST);
        host.cpus().release(cpu);
        assertThat(host.offline(1)).isEqualTo(Errno.OK);
        host.pages().free(page, PageUse.HOST);
        assertThat(host.pages().freePages()).isEqualTo(free);
        assertThat(HostAuditor.audit(host)).isEmpty();
    }

    @Test
    @DisplayName("R-51: what serves pages is chosen before the module's features are known")
    void r51_backingIsChosenByWhatTheModuleSaid() throws Exception {
        Machine machine = new Machine(Hosts.small());
        ScriptedSeam.loadInto(machine);
        assertThat(up(machine, Preset.V4).backing()).isInstanceOf(DecAndLockBacking.class);
        assertThat(up(olderModule(), Preset.V4).backing()).isInstanceOf(StaticBacking.class);
    }

    @Test
    void attributes_areThoseOfTheModule() throws Exception {
        Machine machine = new Machine(Hosts.small());
        ScriptedSeam.loadInto(machine);
        assertThat(up(machine, Preset.V4).attributes())
                .containsEntry("version", "1.5.25")
                .containsEntry("max_reserved_per_tdmr", "16")
                .containsEntry("pamt_page_bitmap_entry_bits", "1");
        assertThat(up(olderModule(), Preset.V4).attributes())
                .containsEntry("version", "1.5.16")
                .doesNotContainKey("pamt_page_bitmap_entry_bits");
    }
}
