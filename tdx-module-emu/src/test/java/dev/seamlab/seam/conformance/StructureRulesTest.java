// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.machine.PhysicalMemory;
import dev.seamlab.machine.Registers;
import dev.seamlab.machine.profile.AddressRange;
import dev.seamlab.machine.profile.MachineProfile;
import dev.seamlab.machine.profile.ModuleProfile;
import dev.seamlab.seam.EmulatedHost;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.StatusCode;
import dev.seamlab.seam.abi.TdParams;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/**
 * The two structures that a host hands over, TD_PARAMS and TDMR_INFO, fault by fault and pair by
 * pair in the order of the facts (module ABI sections 9 and 4.3).
 */
class StructureRulesTest {
    /**
     * A word written into the structure.
     *
     * @param offset byte offset, a multiple of 8
     * @param mask bits that are replaced
     */
    private record Fault(int offset, long mask, long value, long status) {}

    private static final long PARAMS_AT = 0xF000_0000L;

    /** Offset, mask, value, status; in order of check. */
    private static final String PARAMS =
            """
            0   -1                 0x2                 OPERAND_INVALID|ATTRIBUTES
            0   -1                 0x80000000          OPERAND_INVALID|ATTRIBUTES
            0   -1                 0x20000001          OPERAND_INVALID|ATTRIBUTES
            0   -1                 0x8000000020000000  OPERAND_INVALID|ATTRIBUTES
            0   -1                 0x8000000000010000  OPERAND_INVALID|ATTRIBUTES
            8   -1                 0x1                 OPERAND_INVALID|XFAM
            8   -1                 0x23                OPERAND_INVALID|XFAM
            8   -1                 0x803               OPERAND_INVALID|XFAM
            8   -1                 0x20003             OPERAND_INVALID|XFAM
            8   -1                 0x8000000000000003  OPERAND_INVALID|XFAM
            16  0xffff             0                   OPERAND_INVALID|MAX_VCPUS
            16  0xffff             577                 OPERAND_INVALID|MAX_VCPUS
            16  0xff0000           0x40000             OPERAND_INVALID|NUM_L2_VMS
            16  0xff0000           0x10000             TDCS_NOT_ALLOCATED
            16  0xffffffff00000000 0x100000000         OPERAND_INVALID|RDX
            32  -1                 0x20                OPERAND_INVALID|EXEC_CONTROLS
            32  -1                 0x18                OPERAND_INVALID|EXEC_CONTROLS
            24  -1                 0                   OPERAND_INVALID|EPTP_CONTROLS
            24  -1                 0x16                OPERAND_INVALID|EPTP_CONTROLS
            24  -1                 0x2e                OPERAND_INVALID|EPTP_CONTROLS
            24  -1                 0x5e                OPERAND_INVALID|EPTP_CONTROLS
            24  -1                 0x101e              OPERAND_INVALID|EPTP_CONTROLS
            40  0xffff             3                   OPERAND_INVALID|TSC_FREQUENCY
            40  0xffff             401                 OPERAND_INVALID|TSC_FREQUENCY
            72  -1                 1                   OPERAND_INVALID|RDX
            16  0xff000000         0x2000000           OPERAND_INVALID|RDX
            232 -1                 1                   OPERAND_INVALID|RDX
            256 0xffffffff         0x806f7             OPERAND_INVALID|CPUID_CONFIG
            264 0xffffffff         0x1                 OPERAND_INVALID|CPUID_CONFIG
            704 -1                 1                   OPERAND_INVALID|RDX
            224 -1                 0x10                OPERAND_INVALID|IA32_ARCH_CAPABILITIES_CONFIG
            """;

    private static final long ARRAY = 0xF000_0000L;
    private static final long INFO = 0xF000_1000L;

    /** Second of two regions: 4 to 6 GiB, first 4K of the second GiB reserved. Details in hex. */
    private static final String TDMR =
            """
            0   -1  0xffffffff80000000 INVALID_TDMR#1
            0   -1  0                  NON_ORDERED_TDMR#1
            0   -1  0x100100000        INVALID_TDMR#1
            0   -1  0x400100000000     INVALID_TDMR#1
            8   -1  0x100000           INVALID_TDMR#1
            8   -1  0                  INVALID_TDMR#1
            72  -1  0                  NON_ORDERED_RESERVED_IN_TDMR#1
            64  -1  0xfffffffffffff000 INVALID_RESERVED_IN_TDMR#1
            64  -1  0x800              INVALID_RESERVED_IN_TDMR#1
            80  -1  0                  NON_ORDERED_RESERVED_IN_TDMR#101
            80  -1  0x80000800         INVALID_RESERVED_IN_TDMR#101
            80  -1  0x80000000         INVALID_RESERVED_IN_TDMR#101
            88  -1  0x80000000         INVALID_RESERVED_IN_TDMR#101
            16  -1  0x800              INVALID_PAMT#201
            24  -1  0                  INVALID_PAMT#201
            32  -1  0x400000000000     INVALID_PAMT#101
            40  -1  0x3000             INVALID_PAMT#101
            48  -1  0x1e0000800        INVALID_PAMT#1
            56  -1  0x1000             INVALID_PAMT#1
            16  -1  0x1c0000000        PAMT_OVERLAP#201
            32  -1  0x1d1000000        PAMT_OVERLAP#10101
            16  -1  0x110000000        PAMT_OVERLAP#10201
            16  -1  0x3c0000000        PAMT_OUTSIDE_CMRS#201
            32  -1  0x3c0000000        PAMT_OUTSIDE_CMRS#101
            48  -1  0x3c0000000        PAMT_OUTSIDE_CMRS#1
            """;

    @TestFactory
    Stream<DynamicTest> mngInit_badParams_firstFaultReportedAndTdStaysUninitialised() {
        World world = new World(false);
        return cases(parse(PARAMS))
                .map(faults ->
                        DynamicTest.dynamicTest(
                                faults.toString(),
                                () -> {
                                    PhysicalMemory memory = world.module.machine().memory();
                                    writeParams(memory);
                                    faults.forEach(fault -> apply(memory, PARAMS_AT, fault));
                                    long before = world.probe.digest();
                                    long status =
                                            world.module.call(
                                                    Leaf.MNG_INIT,
                                                    world.value("UNINIT"),
                                                    PARAMS_AT,
                                                    0);
                                    assertThat(Status.show(status))
                                            .isEqualTo(Status.show(faults.getFirst().status));
                                    assertThat(world.probe.digest()).isEqualTo(before);
                                }));
    }

    @TestFactory
    Stream<DynamicTest> sysConfig_badRegion_firstFaultReportedAndConfigStaysPending() {
        EmulatedHost host = unconfigured();
        List<List<Fault>> cases = new ArrayList<>(cases(parse(TDMR)).toList());
        Stream<DynamicTest> refused =
                cases.stream()
                        .map(faults ->
                                DynamicTest.dynamicTest(
                                        faults.toString(),
                                        () -> {
                                            writeRegions(host.machine().memory());
                                            faults.forEach(fault ->
                                                    apply(
                                                            host.machine().memory(),
                                                            INFO + 0x200,
                                                            fault));
                                            assertThat(Status.show(configure(host)))
                                                    .isEqualTo(
                                                            Status.show(faults.getFirst().status));
                                        }));
        Stream<DynamicTest> accepted =
                Stream.of(
                        DynamicTest.dynamicTest(
                                "no fault",
                                () -> {
                                    writeRegions(host.machine().memory());
                                    assertThat(configure(host)).isZero();
                                }));
        return Stream.concat(refused, accepted);
    }

    /** Each fault alone, and each pair of different words whose order the facts fix. */
    private static Stream<List<Fault>> cases(List<Fault> faults) {
        List<List<Fault>> cases = new ArrayList<>();
        for (int i = 0; i < faults.size(); i++) {
            cases.add(List.of(faults.get(i)));
            for (int j = i + 1; j < faults.size(); j++) {
                if (independent(faults.get(i), faults.get(j))) {
                    cases.add(List.of(faults.get(i), faults.get(j)));
                }
            }
        }
        return cases.stream();
    }

    /** Faults in one structure can cancel each other; those of different kinds do not. */
    private static boolean independent(Fault first, Fault second) {
        boolean sameWord = first.offset == second.offset && (first.mask & second.mask) != 0;
        return !sameWord && kind(first) != kind(second);
    }

    private static int kind(Fault fault) {
        StatusCode code = StatusCode.of(fault.status);
        return switch (code) {
            case INVALID_TDMR, NON_ORDERED_TDMR -> 0;
            case INVALID_RESERVED_IN_TDMR, NON_ORDERED_RESERVED_IN_TDMR -> 1;
            // Overlap and place of an area depend on all its fields: left to single faults.
            case INVALID_PAMT, PAMT_OVERLAP, PAMT_OUTSIDE_CMRS -> 2;
            case null, default -> 3 + (int) Status.detail(fault.status) * 1000 + fault.offset;
        };
    }

    private static List<Fault> parse(String table) {
        return table.lines()
                .map(line -> line.trim().split("\\s+", -1))
                .map(word ->
                        new Fault(
                                Integer.parseInt(word[0]),
                                number(word[1]),
                                number(word[2]),
                                status(word[3])))
                .toList();
    }

    private static long number(String text) {
        return text.startsWith("0x")
                ? Long.parseUnsignedLong(text.substring(2), 16)
                : Long.parseLong(text);
    }

    private static long status(String text) {
        String[] parts = text.split("[|#]", 2);
        StatusCode code = StatusCode.valueOf(parts[0]);
        if (parts.length == 1) {
            return code.word();
        }
        return text.contains("#")
                ? code.withDetail(Integer.parseInt(parts[1], 16))
                : code.with(Operand.valueOf(parts[1]));
    }

    private static void apply(PhysicalMemory memory, long at, Fault fault) {
        long word = memory.readLong(at + fault.offset);
        memory.writeLong(at + fault.offset, (word & ~fault.mask) | fault.value);
    }

    private static void writeParams(PhysicalMemory memory) {
        memory.write(PARAMS_AT, new byte[TdParams.SIZE], 0, TdParams.SIZE);
        memory.writeLong(PARAMS_AT + TdParams.XFAM, 0x3);
        memory.writeShort(PARAMS_AT + TdParams.MAX_VCPUS, 2);
        memory.writeLong(PARAMS_AT + TdParams.EPTP_CONTROLS, TdParams.eptpControls(4));
        memory.writeShort(PARAMS_AT + TdParams.TSC_FREQUENCY, 84);
    }

    private static EmulatedHost unconfigured() {
        MachineProfile profile =
                EmulatedHost.profile(
                        1,
                        1,
                        52,
                        6,
                        0x20,
                        0x3F,
                        List.of(new AddressRange(0, 0x2_8000_0000L)),
                        ModuleProfile.V1_5_25);
        EmulatedHost host = new EmulatedHost(profile);
        assertThat(host.call(0, new Registers().rax(Leaf.SYS_INIT.number()))).isZero();
        assertThat(host.call(0, new Registers().rax(Leaf.SYS_LP_INIT.number()))).isZero();
        return host;
    }

    /** 2 to 3 GiB, and 4 to 6 GiB with two reserved areas; their PAMTs from 7 GiB on. */
    private static void writeRegions(PhysicalMemory memory) {
        memory.writeLong(ARRAY, INFO);
        memory.writeLong(ARRAY + 8, INFO + 0x200);
        memory.write(INFO, new byte[0x400], 0, 0x400);
        long[] first = {
            0x8000_0000L,
            0x4000_0000L,
            0x1_C000_0000L,
            0x1000,
            0x1_C100_0000L,
            0x2000,
            0x1_C200_0000L,
            0x40_0000
        };
        long[] second = {
            0x1_0000_0000L,
            0x8000_0000L,
            0x1_D100_0000L,
            0x1000,
            0x1_D200_0000L,
            0x4000,
            0x1_D300_0000L,
            0x80_0000,
            0x1000,
            0x1000,
            0x4000_0000L,
            0x1000
        };
        for (int i = 0; i < first.length; i++) {
            memory.writeLong(INFO + 8L * i, first[i]);
        }
        for (int i = 0; i < second.length; i++) {
            memory.writeLong(INFO + 0x200 + 8L * i, second[i]);
        }
    }

    private static long configure(EmulatedHost host) {
        return host.call(
                0, new Registers().rax(Leaf.SYS_CONFIG.number()).rcx(ARRAY).rdx(2).r8(0x20));
    }
}
