// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.seamlab.host.init.InitStep;
import dev.seamlab.host.init.ReservedArea;
import dev.seamlab.host.init.Tdmr;
import dev.seamlab.host.init.TdxInitException;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.kernel.KernelLog;
import dev.seamlab.host.mem.PageAllocator;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.machine.Machine;
import dev.seamlab.machine.profile.AddressRange;
import dev.seamlab.machine.profile.BuiltInProfiles;
import dev.seamlab.machine.profile.Fragmentation;
import dev.seamlab.machine.profile.KeyIdPartition;
import dev.seamlab.machine.profile.MachineProfile;
import dev.seamlab.machine.profile.ModuleProfile;
import dev.seamlab.machine.profile.NumaNode;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.StatusCode;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class BringUpTest {
    private static final long MIB = 1L << 20;

    private final List<String> log = new ArrayList<>();

    private TdxHost up(MachineProfile profile, Preset preset) throws TdxInitException {
        Machine machine = new Machine(profile);
        ScriptedSeam.loadInto(machine);
        return TdxHost.bringUp(machine, preset.policy(), log::add);
    }

    /** Fails bring-up, and sees that every page is free again. */
    private TdxInitException fail(Machine machine, Preset preset) {
        PageAllocator pages =
                new PageAllocator(
                        machine.memory(),
                        machine.profile().nodes().stream().map(NumaNode::memory).toList());
        TdxInitException e =
                catchThrowableOfType(
                        TdxInitException.class,
                        () -> TdxHost.bringUp(machine, pages, preset.policy(), log::add));
        assertThat(e).isNotNull();
        assertThat(pages.freePages()).isEqualTo(pages.totalPages());
        if (e.step().isModuleInitialisation()) {
            assertThat(log)
                    .last()
                    .isEqualTo("virt/tdx: module initialization failed (" + e.errno() + ")");
        }
        return e;
    }

    static Stream<Arguments> profilesAndPresets() {
        return BuiltInProfiles.names().stream()
                .flatMap(name ->
                        Stream.of(Preset.V4, Preset.V6, Preset.STATIC)
                                .map(preset -> Arguments.of(name, preset)));
    }

    @ParameterizedTest
    @MethodSource("profilesAndPresets")
    void everyBuiltInProfile_comesUpAndAuditsClean(String name, Preset preset)
            throws TdxInitException {
        TdxHost host = up(BuiltInProfiles.byName(name), preset);
        HostMemoryReport report = host.memoryReport();
        assertThat(host.isDynamicPamt()).isEqualTo(preset != Preset.STATIC);
        assertThat(report.pamtDynamicBytes()).isZero();
        assertThat(report.pamtStaticBytes())
                .isEqualTo(report.pagesByUse().get(PageUse.PAMT_STATIC) * 4096);
        assertThat(report.refcountBytes())
                .isEqualTo(report.pagesByUse().get(PageUse.REFCOUNTS) * 4096);
        if (host.isDynamicPamt()) {
            assertThat(report.pamt4kBytes()).isZero();
            assertThat(report.staticPamtWouldBe()).isGreaterThan(90 * report.pamtStaticBytes());
        } else {
            assertThat(report.staticPamtWouldBe()).isEqualTo(report.pamtStaticBytes());
        }
        assertThat(report.keyIdsFree()).isEqualTo(report.keyIdsTotal()).isPositive();
        assertThat(HostAuditor.audit(host)).isEmpty();
    }

    @Test
    void server256g_static_prints1050644Kilobytes() throws TdxInitException {
        up(BuiltInProfiles.byName("server-256g"), Preset.STATIC);
        assertThat(log)
                .containsExactly(
                        "virt/tdx: BIOS enabled: private KeyID range [32, 96)",
                        "virt/tdx: Disable ACPI S3. Turn off TDX in the BIOS to use ACPI S3.",
                        "virt/tdx: Module version: 1.5.25",
                        "virt/tdx: 1050644 KB allocated for PAMT",
                        "virt/tdx: module initialized");
    }

    @Test
    void server256g_dynamic_saysSo() throws TdxInitException {
        TdxHost host = up(BuiltInProfiles.byName("server-256g"), Preset.V4);
        // 256 GiB in five TDMRs: 8192 KB of bitmap, 2048 KB of 2M and five pages of 1G entries.
        assertThat(log)
                .contains("virt/tdx: Enable Dynamic PAMT", "virt/tdx: 10260 KB allocated for PAMT");
        assertThat(host.memoryReport().staticPamtWouldBe()).isEqualTo(1_050_644L * 1024);
        assertThat(host.globalKeyId()).isEqualTo(32);
        assertThat(host.keyIds().total()).isEqualTo(63);
    }

    @Test
    void metadata_isThatOfTheModule() throws TdxInitException {
        TdxHost host = up(Hosts.small(), Preset.V4);
        assertThat(host.info().version()).isEqualTo("1.5.25");
        assertThat(host.info().tdcsPages()).isEqualTo(6);
        assertThat(host.info().tdcxPages()).isEqualTo(5);
        assertThat(host.info().cpuidConfig()).hasSize(28);
        assertThat(host.info().maxVcpusPerTd()).isEqualTo(576);
    }

    @Test
    void r45_olderModule_fallsBackToStaticAndIsNotAskedForTheBitmap() throws TdxInitException {
        Machine machine =
                new Machine(
                        Hosts.with(ModuleProfile.V1_5_16, false, new AddressRange(MIB, 256 * MIB)));
        ScriptedSeam seam = ScriptedSeam.loadInto(machine);
        TdxHost host = TdxHost.bringUp(machine, Preset.V4.policy(), log::add);
        assertThat(host.isDynamicPamt()).isFalse();
        assertThat(host.refcounts()).isEmpty();
        assertThat(seam.fieldsRead())
                .isNotEmpty()
                .noneMatch(id -> (id & 0xFF_FFFF) == 0x13 && (id >>> 56 & 0x3F) == 0x11);
        assertThat(log).contains("virt/tdx: module 1.5.16 has no Dynamic PAMT, using static PAMT");
        assertThat(HostAuditor.audit(host)).isEmpty();
    }

    @Test
    void r46_bitmapFieldCannotBeRead_fails() {
        Machine machine = new Machine(Hosts.small());
        ScriptedSeam seam = ScriptedSeam.loadInto(machine);
        // Versions, features, limits and entry sizes come first.
        int before = machine.profile().cpus() + 1 + 9;
        seam.refuseAt(before, StatusCode.METADATA_FIELD_NOT_READABLE.word());
        TdxInitException e = fail(machine, Preset.V4);
        assertThat(e.step()).isEqualTo(InitStep.METADATA);
        assertThat(e).hasMessageContaining("PAMT_PAGE_BITMAP_ENTRY_BITS");
        assertThat(log)
                .contains("virt/tdx: SEAMCALL (0x0000000000000022) failed: 0xc0000c0200000000")
                .anyMatch(line -> line.startsWith("virt/tdx: RCX 0x"))
                .anyMatch(line -> line.startsWith("virt/tdx: R09 0x"));
    }

    @Test
    void moduleThatAdvertisesOnly_failsAtSysConfig() {
        Machine machine =
                new Machine(
                        Hosts.with(
                                ModuleProfile.ADVERTISES_ONLY,
                                false,
                                new AddressRange(MIB, 256 * MIB)));
        ScriptedSeam.loadInto(machine);
        TdxInitException e = fail(machine, Preset.V4);
        assertThat(e.step()).isEqualTo(InitStep.SYS_CONFIG);
        assertThat(e.errno()).isEqualTo(Errno.EIO);
        assertThat(e.status()).isEqualTo(StatusCode.OPERAND_INVALID.with(Operand.R8));
        assertThat(e)
                .hasMessage(
                        "TDX bring-up failed at TDH.SYS.CONFIG: the module refused Dynamic PAMT or"
                                + " the TDMRs: OPERAND_INVALID|R8 (0xc000010000000008) (EIO)");
    }

    @Test
    void moduleThatAdvertisesOnly_static_comesUp() throws TdxInitException {
        MachineProfile profile =
                Hosts.with(ModuleProfile.ADVERTISES_ONLY, false, new AddressRange(MIB, 256 * MIB));
        assertThat(up(profile, Preset.STATIC).isDynamicPamt()).isFalse();
    }

    @Test
    void noModuleLoaded_isNoDevice() {
        TdxInitException e = fail(new Machine(Hosts.small()), Preset.V4);
        assertThat(e.step()).isEqualTo(InitStep.SYS_INIT);
        assertThat(e.errnoName()).isEqualTo("ENODEV");
        assertThat(log).endsWith("virt/tdx: module not loaded");
    }

    @Test
    void fewerThanTwoPrivateKeyIds_isNoDevice() {
        MachineProfile small = Hosts.small();
        MachineProfile profile =
                new MachineProfile(
                        "one-keyid",
                        "",
                        1,
                        2,
                        46,
                        new KeyIdPartition(6, 0, 1),
                        small.nodes(),
                        small.cmrs(),
                        small.module(),
                        false);
        Machine machine = new Machine(profile);
        ScriptedSeam.loadInto(machine);
        TdxInitException e = fail(machine, Preset.V4);
        assertThat(e.step()).isEqualTo(InitStep.KEYID_PARTITION);
        assertThat(e.errno()).isEqualTo(Errno.ENODEV);
        assertThat(log)
                .containsExactly(
                        "virt/tdx: BIOS enabled: private KeyID range [1, 2)",
                        "virt/tdx: initialization failed: too few private KeyIDs available.");
    }

    @Test
    void moduleThatChangesRbp_isInvalid() {
        ModuleProfile v = ModuleProfile.V1_5_25;
        MachineProfile profile =
                Hosts.with(
                        module(v.features0() & ~(1L << 18), 64, 16),
                        false,
                        new AddressRange(MIB, 256 * MIB));
        Machine machine = new Machine(profile);
        ScriptedSeam.loadInto(machine);
        TdxInitException e = fail(machine, Preset.V4);
        assertThat(e.errno()).isEqualTo(Errno.EINVAL);
        assertThat(e).hasMessageContaining("NO_RBP_MOD");
        assertThat(log)
                .contains("virt/tdx: frame pointer (RBP) clobber bug present, upgrade TDX module");
    }

    @Test
    void r49_moduleTakesFewerTdmrs_isNoSpace() {
        Machine machine =
                new Machine(
                        Hosts.with(
                                module(ModuleProfile.V1_5_25.features0(), 1, 16),
                                false,
                                new AddressRange(MIB, 256 * MIB),
                                new AddressRange(4096 * MIB, 4400 * MIB)));
        ScriptedSeam.loadInto(machine);
        TdxInitException e = fail(machine, Preset.V4);
        assertThat(e.step()).isEqualTo(InitStep.TDMRS);
        assertThat(log).contains("virt/tdx: initialization failed: TDMRs exhausted.");
        assertThat(e.errnoName()).isEqualTo("ENOSPC");
    }

    @Test
    void r48_moduleTakesFewerReservedAreas_isNoSpace() {
        Machine machine =
                new Machine(
                        Hosts.with(
                                module(ModuleProfile.V1_5_25.features0(), 64, 2),
                                false,
                                new AddressRange(MIB, 256 * MIB)));
        ScriptedSeam.loadInto(machine);
        // The first MiB, the PAMT chunk and the tail.
        TdxInitException e = fail(machine, Preset.V4);
        assertThat(e.step()).isEqualTo(InitStep.RESERVED_AREAS);
        assertThat(e.errnoName()).isEqualTo("ENOSPC");
    }

    @Test
    void r47_memoryFarUp_flatRefcountsDoNotFit_isNoMemory() {
        MachineProfile profile =
                new MachineProfile(
                        "far-up",
                        "",
                        1,
                        2,
                        52,
                        new KeyIdPartition(4, 0, 15),
                        List.of(
                                new NumaNode(
                                        List.of(
                                                new AddressRange(
                                                        (1L << 48) - 256 * MIB, 1L << 48)))),
                        List.of(new AddressRange((1L << 48) - 256 * MIB, 1L << 48)),
                        ModuleProfile.V1_5_25,
                        false);
        Machine machine = new Machine(profile);
        ScriptedSeam.loadInto(machine);
        TdxInitException e = fail(machine, Preset.V6);
        assertThat(e.step()).isEqualTo(InitStep.REFCOUNTS);
        assertThat(e.errnoName()).isEqualTo("ENOMEM");
        log.clear();
        // The counters of 256 MiB are all that the sparse store needs.
        Machine again = new Machine(profile);
        ScriptedSeam.loadInto(again);
        assertThat(
                        catchThrowableOfType(
                                TdxInitException.class,
                                () -> {
                                    TdxHost host =
                                            TdxHost.bringUp(
                                                    again, Preset.V4.policy(), KernelLog.SILENT);
                                    assertThat(host.memoryReport().refcountBytes()).isEqualTo(4096);
                                }))
                .isNull();
    }

    @Test
    void pamtChunk_comesFromItsOwnNode_andIsReservedInTheTdmrThatHoldsIt() throws Exception {
        TdxHost host = up(Hosts.twoPackages(), Preset.STATIC);
        assertThat(host.tdmrs()).hasSize(2);
        for (Tdmr tdmr : host.tdmrs()) {
            assertThat(tdmr.chunk().base()).isBetween(tdmr.range().base(), tdmr.range().end());
            assertThat(tdmr.reserved())
                    .contains(new ReservedArea(tdmr.chunk().base(), tdmr.chunk().end()));
        }
        assertThat(HostAuditor.audit(host)).isEmpty();
    }

    @Test
    void r48_nodeWithoutRoomForItsPamt_borrowsFromTheNext_whichReservesIt() throws Exception {
        // 2 MiB above the first do not hold the 4108 KiB for a TDMR of 1 GiB.
        List<AddressRange> first = List.of(new AddressRange(MIB, 3 * MIB));
        List<AddressRange> second = List.of(new AddressRange(1024 * MIB, 1280 * MIB));
        MachineProfile two = Hosts.twoPackages();
        MachineProfile profile =
                new MachineProfile(
                        "borrows",
                        "",
                        2,
                        2,
                        46,
                        two.keyIds(),
                        List.of(new NumaNode(first), new NumaNode(second)),
                        List.of(first.get(0), second.get(0)),
                        two.module(),
                        false);
        TdxHost host = up(profile, Preset.STATIC);
        Tdmr lender = host.tdmrs().get(1);
        for (Tdmr tdmr : host.tdmrs()) {
            assertThat(tdmr.chunk().base()).isBetween(lender.range().base(), lender.range().end());
            assertThat(lender.reserved())
                    .contains(new ReservedArea(tdmr.chunk().base(), tdmr.chunk().end()));
        }
        // The hole from 256 MiB of the second on, and both chunks.
        assertThat(lender.reserved()).hasSize(3);
        assertThat(HostAuditor.audit(host)).isEmpty();
    }

    @Test
    void scatteredMemory_hasNoRoomForStaticPamt_isNoMemory_butForDynamic() throws Exception {
        MachineProfile small = Hosts.small();
        AddressRange memory = new AddressRange(4096 * MIB, 8192 * MIB);
        MachineProfile profile =
                new MachineProfile(
                        "scattered",
                        "",
                        1,
                        2,
                        46,
                        small.keyIds(),
                        List.of(new NumaNode(List.of(memory))),
                        List.of(memory),
                        small.module(),
                        false,
                        new Fragmentation(1, 100, 10, List.of(0, 0, 0, 0, 0, 1)));
        Machine machine = new Machine(profile);
        ScriptedSeam.loadInto(machine);
        PageAllocator pages = new PageAllocator(machine);
        TdxInitException e =
                catchThrowableOfType(
                        TdxInitException.class,
                        () -> TdxHost.bringUp(machine, pages, Preset.STATIC.policy(), log::add));
        assertThat(e.step()).isEqualTo(InitStep.PAMT);
        assertThat(e.errno()).isEqualTo(Errno.ENOMEM);
        assertThat(pages.freePages() + pages.usedPages(PageUse.RESIDENT))
                .isEqualTo(pages.totalPages());
        TdxHost host = up(profile, Preset.V4);
        assertThat(host.isDynamicPamt()).isTrue();
        assertThat(HostAuditor.audit(host)).isEmpty();
    }

    @Test
    void fewTdmrsLeft_isSaidAsTheKernelSaysIt() throws Exception {
        MachineProfile profile =
                Hosts.with(
                        module(ModuleProfile.V1_5_25.features0(), 4, 16),
                        false,
                        new AddressRange(MIB, 256 * MIB),
                        new AddressRange(4096 * MIB, 4400 * MIB));
        up(profile, Preset.V4);
        assertThat(log).contains("virt/tdx: consumed TDMRs reaching limit: 2 used out of 4");
    }

    @Test
    void memoryOutsideTheCmrs_isRefusedBySysConfig() {
        MachineProfile small = Hosts.small();
        MachineProfile profile =
                new MachineProfile(
                        "short-cmr",
                        "",
                        1,
                        2,
                        46,
                        small.keyIds(),
                        small.nodes(),
                        List.of(new AddressRange(MIB, 255 * MIB)),
                        small.module(),
                        false);
        Machine machine = new Machine(profile);
        ScriptedSeam.loadInto(machine);
        TdxInitException e = fail(machine, Preset.V4);
        assertThat(e.step()).isEqualTo(InitStep.SYS_CONFIG);
    }

    @Test
    void secondBringUpOfOneModule_isRefused() throws TdxInitException {
        TdxHost host = up(Hosts.small(), Preset.V4);
        TdxInitException e = fail(host.machine(), Preset.V4);
        assertThat(e.step()).isEqualTo(InitStep.SYS_INIT);
        assertThat(StatusCode.SYS_INIT_NOT_PENDING.matches(e.status())).isTrue();
    }

    @Test
    void sysInit_outOfEntropyNineTimes_isRepeated() throws TdxInitException {
        Machine machine = new Machine(Hosts.small());
        ScriptedSeam seam = ScriptedSeam.loadInto(machine);
        seam.refuseNext(Leaf.SYS_INIT, StatusCode.RND_NO_ENTROPY.word(), 9);
        TdxHost.bringUp(machine, Preset.V4.policy(), log::add);
        assertThat(seam.calls(Leaf.SYS_INIT)).isEqualTo(10);
    }

    @Test
    void sysInit_outOfEntropyTenTimes_fails() {
        Machine machine = new Machine(Hosts.small());
        ScriptedSeam seam = ScriptedSeam.loadInto(machine);
        seam.refuseNext(Leaf.SYS_INIT, StatusCode.RND_NO_ENTROPY.word(), 99);
        assertThat(fail(machine, Preset.V4).errno()).isEqualTo(Errno.EIO);
        assertThat(seam.calls(Leaf.SYS_INIT)).isEqualTo(10);
    }

    @ParameterizedTest
    @EnumSource(Preset.class)
    void refusingEachSeamcallOnce_alwaysFailsCleanly(Preset preset) throws TdxInitException {
        Machine counting = new Machine(Hosts.twoPackages());
        ScriptedSeam counter = ScriptedSeam.loadInto(counting);
        TdxHost.bringUp(counting, preset.policy(), KernelLog.SILENT);
        // TDMR.INIT repeats one call many times; its first few refusals stand for all.
        int calls = counter.total() - counter.calls(Leaf.SYS_TDMR_INIT) + 2;
        for (int n = 0; n < calls; n++) {
            Machine machine = new Machine(Hosts.twoPackages());
            ScriptedSeam.loadInto(machine).refuseAt(n, StatusCode.OPERAND_BUSY.with(Operand.SYS));
            TdxInitException e = fail(machine, preset);
            assertThat(e.errno()).isEqualTo(Errno.EIO);
            assertThat(StatusCode.OPERAND_BUSY.matches(e.status())).isTrue();
        }
    }

    @ParameterizedTest
    @EnumSource(Preset.class)
    void refusingEachAllocationOnce_alwaysFailsCleanly(Preset preset) {
        for (int n = 0; ; n++) {
            Machine machine = new Machine(Hosts.twoPackages());
            ScriptedSeam.loadInto(machine);
            PageAllocator pages =
                    new PageAllocator(
                            machine.memory(),
                            machine.profile().nodes().stream().map(NumaNode::memory).toList());
            int[] left = {n};
            pages.setGate((use, count) -> left[0]-- > 0);
            TdxInitException e =
                    catchThrowableOfType(
                            TdxInitException.class,
                            () -> TdxHost.bringUp(machine, pages, preset.policy(), log::add));
            if (e == null) {
                assertThat(n).isGreaterThan(3);
                return;
            }
            assertThat(e.errno()).isEqualTo(Errno.ENOMEM);
            assertThat(pages.freePages()).isEqualTo(pages.totalPages());
        }
    }

    @Test
    void r50_lastCpuOfAPackage_staysOnlineWhileAGuestHasAKeyId() throws TdxInitException {
        TdxHost host = up(Hosts.twoPackages(), Preset.V4);
        assertThat(host.offline(2)).isEqualTo(Errno.OK);
        int hkid = host.keyIds().allocate();
        assertThat(host.offline(3)).isEqualTo(Errno.EBUSY);
        assertThat(host.cpus().isPackageOnline(1)).isTrue();
        host.keyIds().free(hkid);
        assertThat(host.offline(3)).isEqualTo(Errno.OK);
        assertThat(host.cpus().isPackageOnline(1)).isFalse();
        host.online(3);
        assertThat(host.cpus().isPackageOnline(1)).isTrue();
    }

    private static ModuleProfile module(long features0, int maxTdmrs, int maxReserved) {
        ModuleProfile v = ModuleProfile.V1_5_25;
        return new ModuleProfile(
                "test",
                v.major(),
                v.minor(),
                v.update(),
                features0,
                true,
                maxTdmrs,
                maxReserved,
                v.pamtEntrySize(),
                v.bitmapBitsPerPage(),
                v.tdcsPages(),
                v.tdvpsPages(),
                v.maxVcpusPerTd());
    }
}
