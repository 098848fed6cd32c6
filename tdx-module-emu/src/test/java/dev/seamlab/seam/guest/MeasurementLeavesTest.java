// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.guest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.machine.GuestMode;
import dev.seamlab.seam.abi.ExitReason;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.StatusCode;
import dev.seamlab.seam.abi.TdReport;
import dev.seamlab.seam.abi.TdcallLeaf;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.junit.jupiter.api.Test;

/** RTMRs and reports, against hashes computed here (facts: section 10). */
class MeasurementLeavesTest {
    private static final long PAGE = 0x1000;

    private final GuestRig.Running td = GuestRig.running(0);
    private final GuestRig rig = td.rig();

    MeasurementLeavesTest() {
        rig.aug(PAGE, PageInfo.LEVEL_4K);
        td.enter(GuestRig.once(cpu -> GuestRig.accept(cpu, PAGE, PageInfo.LEVEL_4K)));
    }

    private static byte[] sha384(byte[]... parts) {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-384");
            for (byte[] part : parts) {
                digest.update(part);
            }
            return digest.digest();
        } catch (GeneralSecurityException e) {
            throw new AssertionError(e);
        }
    }

    private static long extend(GuestMode cpu, long gpa, long index) {
        return GuestRig.tdcall(cpu, TdcallLeaf.MR_RTMR_EXTEND, gpa, index);
    }

    /** Produces a report over REPORTDATA of 0x5A bytes and returns it. */
    private byte[] report() {
        byte[] report = new byte[TdReport.SIZE];
        byte[] data = new byte[TdReport.REPORTDATA_BYTES];
        Arrays.fill(data, (byte) 0x5A);
        td.enter(
                GuestRig.once(cpu -> {
                    cpu.write(PAGE + 0x800, data, 0, data.length);
                    assertThat(
                                    GuestRig.tdcall(
                                            cpu, TdcallLeaf.MR_REPORT, PAGE + 0x400, PAGE + 0x800))
                            .isZero();
                    cpu.read(PAGE + 0x400, report, 0, report.length);
                }));
        return report;
    }

    private static byte[] part(byte[] report, int at, int length) {
        return Arrays.copyOfRange(report, at, at + length);
    }

    @Test
    void rtmrExtend_zeroesOverZero_isTheKnownValue() {
        td.enter(GuestRig.once(cpu -> assertThat(extend(cpu, PAGE, 0)).isZero()));
        assertThat(HexFormat.of().formatHex(part(report(), TdReport.RTMR, 48)))
                .isEqualTo(
                        "f57bb7ed82c6ae4a29e6c9879338c592c7d42a39135583e8ccbe3940f2344b0eb6eb8503db0ffd6a39ddd00cd07d8317");
    }

    @Test
    void rtmrExtend_chainsPerRegister() {
        byte[] first = new byte[48];
        byte[] second = new byte[48];
        Arrays.fill(first, (byte) 1);
        Arrays.fill(second, (byte) 2);
        td.enter(
                GuestRig.once(cpu -> {
                    cpu.write(PAGE, first, 0, 48);
                    assertThat(extend(cpu, PAGE, 3)).isZero();
                    cpu.write(PAGE + 64, second, 0, 48);
                    assertThat(extend(cpu, PAGE + 64, 3)).isZero();
                    assertThat(extend(cpu, PAGE + 64, 1)).isZero();
                }));
        byte[] report = report();
        byte[] zero = new byte[48];
        assertThat(part(report, TdReport.RTMR, 48)).isEqualTo(zero);
        assertThat(part(report, TdReport.RTMR + 48, 48)).isEqualTo(sha384(zero, second));
        assertThat(part(report, TdReport.RTMR + 96, 48)).isEqualTo(zero);
        assertThat(part(report, TdReport.RTMR + 144, 48))
                .isEqualTo(sha384(sha384(zero, first), second));
    }

    @Test
    void rtmrExtend_badOperands_areNamed() {
        td.enter(
                GuestRig.once(cpu -> {
                    assertThat(extend(cpu, PAGE + 32, 0))
                            .isEqualTo(StatusCode.OPERAND_INVALID.with(Operand.RCX));
                    assertThat(extend(cpu, GuestRig.SHARED_BIT | PAGE, 0))
                            .isEqualTo(StatusCode.OPERAND_INVALID.with(Operand.RCX));
                    assertThat(extend(cpu, PAGE, 4))
                            .isEqualTo(StatusCode.OPERAND_INVALID.with(Operand.RDX));
                    assertThat(extend(cpu, PAGE, -1))
                            .isEqualTo(StatusCode.OPERAND_INVALID.with(Operand.RDX));
                }));
    }

    @Test
    void rtmrExtend_unmappedMemory_exitsBeforeTheIndexIsJudged() {
        long status =
                td.enter(cpu -> {
                    cpu.gprs().clear().rax(TdcallLeaf.MR_RTMR_EXTEND.number()).rcx(0xB000).rdx(9);
                    cpu.tdcall();
                });
        assertThat(status).isEqualTo(ExitReason.EPT_VIOLATION);
        assertThat(rig.regs.rcx()).isEqualTo(ExitReason.QUALIFICATION_READ);
        assertThat(rig.regs.r8()).isEqualTo(0xB000);
    }

    @Test
    void report_hashesAndMac_followFromItsParts() throws GeneralSecurityException {
        byte[] report = report();
        assertThat(report[TdReport.REPORT_TYPE] & 0xFF).isEqualTo(TdReport.TYPE_TDX);
        assertThat(part(report, TdReport.REPORTDATA, TdReport.REPORTDATA_BYTES)).containsOnly(0x5A);
        assertThat(part(report, TdReport.TEE_INFO_HASH, 48))
                .isEqualTo(sha384(part(report, 512, 512)));
        assertThat(part(report, TdReport.TEE_TCB_INFO_HASH, 48))
                .isEqualTo(sha384(part(report, 256, 239)));
        Mac mac = Mac.getInstance("HmacSHA256");
        byte[] mockKey = "Seamlab MOCK report key of guest-rig".getBytes(StandardCharsets.UTF_8);
        mac.init(new SecretKeySpec(mockKey, "HmacSHA256"));
        assertThat(part(report, TdReport.MAC, TdReport.MAC_BYTES))
                .isEqualTo(mac.doFinal(part(report, 0, TdReport.MAC)));
    }

    @Test
    void report_tdInfo_isWhatTheTdWasBuiltFrom() {
        byte[] report = report();
        byte[] block = new byte[128];
        byte[] name = "MEM.PAGE.ADD".getBytes(StandardCharsets.US_ASCII);
        System.arraycopy(name, 0, block, 0, name.length);
        assertThat(part(report, TdReport.MRTD, 48)).isEqualTo(sha384(block));
        assertThat(report[TdReport.XFAM]).isEqualTo((byte) 3);
        assertThat(report[TdReport.MRCONFIGID]).isEqualTo((byte) 0xC1);
        assertThat(report[TdReport.MROWNER]).isEqualTo((byte) 0xC2);
        assertThat(report[TdReport.MROWNERCONFIG]).isEqualTo((byte) 0xC3);
    }

    @Test
    void report_badOperands_areNamedInOrder() {
        td.enter(
                GuestRig.once(cpu -> {
                    assertThat(report(cpu, PAGE + 1, PAGE + 1, 1))
                            .isEqualTo(StatusCode.OPERAND_INVALID.with(Operand.RCX));
                    assertThat(report(cpu, PAGE, PAGE + 1, 1))
                            .isEqualTo(StatusCode.OPERAND_INVALID.with(Operand.RDX));
                    assertThat(report(cpu, PAGE, PAGE, 1))
                            .isEqualTo(StatusCode.OPERAND_INVALID.with(Operand.R8));
                }));
    }

    @Test
    void verifyReport_genuineAlteredAndForeignReports_areToldApart() {
        byte[] altered = new byte[1];
        td.enter(
                GuestRig.once(cpu -> {
                    assertThat(report(cpu, PAGE + 0x400, PAGE + 0x800, 0)).isZero();
                    assertThat(verify(cpu, PAGE + 0x400)).isZero();
                    altered[0] = 0x5B;
                    cpu.write(PAGE + 0x400 + TdReport.REPORTDATA, altered, 0, 1);
                    assertThat(verify(cpu, PAGE + 0x400))
                            .isEqualTo(StatusCode.INVALID_REPORTMACSTRUCT.word());
                    cpu.write(PAGE + 0x400 + TdReport.CPUSVN, altered, 0, 1);
                    assertThat(verify(cpu, PAGE + 0x400))
                            .isEqualTo(StatusCode.INVALID_CPUSVN.word());
                    assertThat(verify(cpu, PAGE + 0x480))
                            .isEqualTo(StatusCode.OPERAND_INVALID.with(Operand.RCX));
                    assertThat(verify(cpu, PAGE | GuestRig.SHARED_BIT))
                            .isEqualTo(StatusCode.OPERAND_INVALID.with(Operand.RCX));
                }));
    }

    private static long verify(GuestMode cpu, long gpa) {
        return GuestRig.tdcall(cpu, TdcallLeaf.MR_VERIFYREPORT, gpa, 0);
    }

    @Test
    void report_interruptedWhileItHashes_onceUntilTheHashIsKnown() {
        int[] runs = new int[1];
        rig.bind(
                td.vcpus()[0],
                cpu -> {
                    runs[0]++;
                    if (runs[0] == 1) {
                        rig.machine.cpus().getFirst().raiseInterrupt();
                    }
                    if (report(cpu, PAGE + 0x400, PAGE + 0x800, 0) == 0) {
                        cpu.vmExit(ExitReason.EXTERNAL_INTERRUPT, 0, 0, 0x8000_00F0L);
                    }
                });
        assertThat(rig.call(0, Leaf.VP_ENTER, td.vcpus()[0]))
                .isEqualTo(ExitReason.EXTERNAL_INTERRUPT);
        assertThat(runs[0]).as("stopped inside the leaf").isEqualTo(1);
        rig.machine.cpus().getFirst().acknowledgeInterrupt();
        assertThat(rig.call(0, Leaf.VP_ENTER, td.vcpus()[0]))
                .isEqualTo(ExitReason.EXTERNAL_INTERRUPT);
        assertThat(runs[0]).isEqualTo(2);
    }

    private static long report(GuestMode cpu, long report, long data, long subtype) {
        cpu.gprs().clear().rax(TdcallLeaf.MR_REPORT.number()).rcx(report).rdx(data).r8(subtype);
        cpu.tdcall();
        return cpu.gprs().rax();
    }
}
