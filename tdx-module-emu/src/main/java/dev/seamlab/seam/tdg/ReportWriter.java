// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.tdg;

import dev.seamlab.machine.profile.ModuleProfile;
import dev.seamlab.seam.abi.TdReport;
import dev.seamlab.seam.td.Measurement;
import dev.seamlab.seam.td.TdConfig;
import dev.seamlab.seam.td.Tdcs;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Arrays;

/**
 * Fills a TDREPORT_STRUCT (facts: module ABI section 10.3). TDINFO is the TD's own; the part about
 * the module is invented, for there is no signed module behind it: MRSEAM is a hash of the name of
 * the emulated module, TEE_TCB_SVN its update and minor version, CPUSVN and MRSIGNERSEAM are zero.
 */
final class ReportWriter {
    private ReportWriter() {}

    /** TDINFO; with the RTMRs locked. Everything else is zero afterwards. */
    static void tdInfo(Tdcs tdcs, byte[] report) {
        Arrays.fill(report, 0, TdReport.SIZE, (byte) 0);
        TdConfig config = tdcs.config();
        putLong(report, TdReport.ATTRIBUTES, config.attributes());
        putLong(report, TdReport.XFAM, config.xfam());
        put(report, TdReport.MRTD, tdcs.mrtd());
        put(report, TdReport.MRCONFIGID, config.mrConfigId());
        put(report, TdReport.MROWNER, config.mrOwner());
        put(report, TdReport.MROWNERCONFIG, config.mrOwnerConfig());
        for (int i = 0; i < Tdcs.RTMRS; i++) {
            put(report, TdReport.RTMR + i * Measurement.BYTES, tdcs.rtmr(i));
        }
    }

    /** The other parts; REPORTDATA stands in the report already. */
    static void complete(ModuleProfile module, MockReportKey key, byte[] report) {
        putLong(report, TdReport.TCB_VALID, TCB_VALID_FIELDS);
        report[TdReport.TEE_TCB_SVN] = (byte) module.update();
        report[TdReport.TEE_TCB_SVN + 1] = (byte) module.minor();
        put(report, TdReport.MRSEAM, mockMrSeam(module));
        MessageDigest digest = Measurement.sha384();
        digest.update(report, TdReport.TEE_TCB_INFO, TdReport.TEE_TCB_INFO_BYTES);
        put(report, TdReport.TEE_TCB_INFO_HASH, digest.digest());
        digest.update(report, TdReport.TDINFO, TdReport.TDINFO_BYTES);
        put(report, TdReport.TEE_INFO_HASH, digest.digest());
        report[TdReport.REPORT_TYPE] = (byte) TdReport.TYPE_TDX;
        put(report, TdReport.MAC, key.mac(report, TdReport.MAC));
    }

    /** Which fields of TEE_TCB_INFO hold something: a value seen in reports, not in the facts. */
    private static final long TCB_VALID_FIELDS = 0x301FF;

    private static byte[] mockMrSeam(ModuleProfile module) {
        String name = "Seamlab emulated TDX module " + module.name();
        return Measurement.sha384().digest(name.getBytes(StandardCharsets.US_ASCII));
    }

    private static void put(byte[] report, int at, byte[] value) {
        System.arraycopy(value, 0, report, at, value.length);
    }

    private static void putLong(byte[] report, int at, long value) {
        for (int i = 0; i < Long.BYTES; i++) {
            report[at + i] = (byte) (value >>> (8 * i));
        }
    }
}
