// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.seamlab.host.init.InitStep;
import dev.seamlab.host.init.TdxInitException;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.machine.Machine;
import dev.seamlab.machine.profile.AddressRange;
import dev.seamlab.machine.profile.KeyIdPartition;
import dev.seamlab.machine.profile.MachineProfile;
import dev.seamlab.machine.profile.ModuleProfile;
import dev.seamlab.machine.profile.NumaNode;
import dev.seamlab.seam.TdxModule;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Boot logs of real hosts, played again. Each printed its memory (as CMRs, which those kernels
 * print) and what it allocated for PAMT; the model has to print the same figure for the same
 * memory. What Dynamic PAMT would have cost there is computed from the same TDMRs by hand; for one
 * of them it is what the series' own documentation shows, 10092 KB.
 */
class RealHostsTest {
    /**
     * A host as its log shows it.
     *
     * @param source where the log was published
     * @param firstKeyId as in "private KeyID range [first, end)"
     * @param kilobytes as in "KB allocated for PAMT"
     */
    record RealHost(
            String source,
            int firstKeyId,
            int endKeyId,
            List<AddressRange> memory,
            long kilobytes,
            long dynamicKilobytes) {
        @Override
        public String toString() {
            return source;
        }
    }

    private static AddressRange range(long start, long end) {
        return new AddressRange(start, end);
    }

    static Stream<RealHost> hosts() {
        return Stream.of(
                new RealHost(
                        "github.com/canonical/tdx/issues/135, after its fix",
                        32,
                        64,
                        List.of(
                                range(0x100000, 0x6f800000),
                                range(0x100000000L, 0x107a000000L),
                                range(0x1080000000L, 0x207c000000L),
                                range(0x2080000000L, 0x307c000000L),
                                range(0x3080000000L, 0x407c000000L)),
                        1_050_644,
                        10_260),
                new RealHost(
                        "github.com/canonical/tdx README of 2023",
                        16,
                        32,
                        List.of(
                                range(0x100000, 0x77800000),
                                range(0x100000000L, 0x407a000000L),
                                range(0x4080000000L, 0x807c000000L),
                                range(0x8080000000L, 0xc07c000000L),
                                range(0xc080000000L, 0x1007c000000L)),
                        4_202_516,
                        40_980),
                new RealHost(
                        "github.com/canonical/tdx/issues/155",
                        32,
                        64,
                        List.of(range(0x100000, 0x77800000), range(0x100000000L, 0x2076000000L)),
                        525_320,
                        5_128),
                new RealHost(
                        "github.com/canonical/tdx/issues/206",
                        32,
                        64,
                        List.of(
                                range(0x100000, 0x77800000),
                                range(0x100000000L, 0x406e000000L),
                                range(0x4080000000L, 0x8070000000L)),
                        2_101_260,
                        20_492),
                new RealHost(
                        "github.com/canonical/tdx/issues/285",
                        64,
                        128,
                        List.of(
                                range(0x100000, 0x77800000),
                                range(0x100000000L, 0x206e000000L),
                                range(0x2080000000L, 0x4070000000L)),
                        1_050_636,
                        10_252),
                new RealHost(
                        "github.com/canonical/tdx/issues/338",
                        32,
                        64,
                        List.of(
                                range(0x100000, 0x77800000),
                                range(0x100000000L, 0x1ffe000000L),
                                range(0x2080000000L, 0x4000000000L)),
                        1_034_220,
                        10_092),
                new RealHost(
                        "github.com/canonical/tdx/issues/385",
                        32,
                        64,
                        List.of(
                                range(0x100000, 0x77800000),
                                range(0x100000000L, 0x1003e000000L),
                                range(0x10080000000L, 0x20040000000L)),
                        8_396_820,
                        81_876));
    }

    /** With the ranges on one node, or those above 4 GiB on a node each. */
    private static MachineProfile profile(RealHost host, boolean manyNodes) {
        List<NumaNode> nodes = new ArrayList<>();
        if (manyNodes) {
            nodes.add(new NumaNode(host.memory.subList(0, 2)));
            for (AddressRange range : host.memory.subList(2, host.memory.size())) {
                nodes.add(new NumaNode(List.of(range)));
            }
        } else {
            nodes.add(new NumaNode(host.memory));
        }
        return profile(host.firstKeyId - 1, host.endKeyId - host.firstKeyId, nodes, host.memory);
    }

    private static MachineProfile profile(
            int mktme, int tdx, List<NumaNode> nodes, List<AddressRange> cmrs) {
        return new MachineProfile(
                "real",
                "",
                1,
                2,
                52,
                new KeyIdPartition(7, mktme, tdx),
                nodes,
                cmrs,
                ModuleProfile.V1_5_25,
                true);
    }

    private static TdxHost up(MachineProfile profile, Preset preset, List<String> log)
            throws TdxInitException {
        Machine machine = new Machine(profile);
        machine.load(new TdxModule(machine));
        return TdxHost.bringUp(machine, preset.policy(), log::add);
    }

    @ParameterizedTest
    @MethodSource("hosts")
    void staticPamt_printsWhatTheRealHostPrinted(RealHost real) throws TdxInitException {
        for (boolean manyNodes : new boolean[] {false, true}) {
            List<String> log = new ArrayList<>();
            TdxHost host = up(profile(real, manyNodes), Preset.STATIC, log);
            assertThat(log)
                    .containsExactly(
                            "virt/tdx: BIOS enabled: private KeyID range ["
                                    + real.firstKeyId
                                    + ", "
                                    + real.endKeyId
                                    + ")",
                            "virt/tdx: Disable ACPI S3. Turn off TDX in the BIOS to use ACPI S3.",
                            "virt/tdx: Module version: 1.5.25",
                            "virt/tdx: " + real.kilobytes + " KB allocated for PAMT",
                            "virt/tdx: module initialized");
            assertThat(host.pages().usedPages(PageUse.PAMT_STATIC) * 4).isEqualTo(real.kilobytes);
        }
    }

    @ParameterizedTest
    @MethodSource("hosts")
    void dynamicPamt_needsAHundredth(RealHost real) throws TdxInitException {
        List<String> log = new ArrayList<>();
        TdxHost host = up(profile(real, true), Preset.V4, log);
        assertThat(log)
                .containsExactly(
                        "virt/tdx: BIOS enabled: private KeyID range ["
                                + real.firstKeyId
                                + ", "
                                + real.endKeyId
                                + ")",
                        "virt/tdx: Disable ACPI S3. Turn off TDX in the BIOS to use ACPI S3.",
                        "virt/tdx: Module version: 1.5.25",
                        "virt/tdx: Enable Dynamic PAMT",
                        "virt/tdx: " + real.dynamicKilobytes + " KB allocated for PAMT",
                        "virt/tdx: module initialized");
        assertThat(host.memoryReport().staticPamtWouldBe()).isEqualTo(real.kilobytes * 1024);
        assertThat(HostAuditor.audit(host)).isEmpty();
    }

    /**
     * The same host as the first, before the fix, which Linus' tree does not have: the kernel looks
     * for holes in its own memory map, and firmware tables cut that below 2 GiB into 16 pieces with
     * 17 holes. Source: the commit message of "x86/virt/tdx: Reduce TDMR's reserved areas by using
     * CMRs to find memory holes", version 7, which quotes the e820 map.
     */
    @Test
    void r48_e820WithSixteenPiecesBelow2Gib_exhaustsTheReservedAreas() {
        List<AddressRange> memory =
                new ArrayList<>(
                        List.of(
                                range(0, 0x9f000),
                                range(0x100000, 0x5d169000),
                                range(0x5d22b000, 0x5d3cf000),
                                range(0x5d46a000, 0x5e5b3000),
                                range(0x5e5c3000, 0x5e5d3000),
                                range(0x5e5e5000, 0x5eb58000),
                                range(0x61358000, 0x6172b000),
                                range(0x61795000, 0x617ff000),
                                range(0x61913000, 0x61999000),
                                range(0x619e0000, 0x619e2000),
                                range(0x619ea000, 0x61a27000),
                                range(0x61baf000, 0x623c3000),
                                range(0x62472000, 0x62824000),
                                range(0x63a25000, 0x63d58000),
                                range(0x64158000, 0x64159000),
                                range(0x64195000, 0x6e9cf000),
                                range(0x6f7ff000, 0x6f800000)));
        List<AddressRange> high = hosts().findFirst().orElseThrow().memory.subList(1, 5);
        memory.addAll(high);
        List<AddressRange> cmrs = hosts().findFirst().orElseThrow().memory;
        for (Preset preset : List.of(Preset.STATIC, Preset.V4)) {
            List<String> log = new ArrayList<>();
            MachineProfile profile = profile(31, 32, List.of(new NumaNode(memory)), cmrs);
            TdxInitException e =
                    catchThrowableOfType(TdxInitException.class, () -> up(profile, preset, log));
            assertThat(e).isNotNull();
            assertThat(e.step()).isEqualTo(InitStep.RESERVED_AREAS);
            assertThat(e.errno()).isEqualTo(Errno.ENOSPC);
            assertThat(log)
                    .endsWith(
                            "virt/tdx: initialization failed: TDMR [0x0, 0x80000000): reserved areas"
                                    + " exhausted.",
                            "virt/tdx: module initialization failed (-28)");
        }
    }
}
