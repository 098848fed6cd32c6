// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.tdg;

import static dev.seamlab.seam.abi.StatusCode.INVALID_CPUSVN;
import static dev.seamlab.seam.abi.StatusCode.INVALID_REPORTMACSTRUCT;
import static dev.seamlab.seam.abi.StatusCode.OPERAND_INVALID;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.GuestMode.Access;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.TdReport;
import dev.seamlab.seam.guest.GuestCpu;
import dev.seamlab.seam.guest.TdcallHandler;
import java.security.MessageDigest;
import java.util.Arrays;

/**
 * TDG.MR.VERIFYREPORT: whether a REPORTMACSTRUCT in private memory was made on this host (module
 * 1.5.25). The CPU's verdict is made with the same mock key as the reports, and proves as little.
 * In which order the CPU looks at version and MAC is a guess.
 */
final class MrVerifyReport implements TdcallHandler {
    private final MockReportKey key;

    MrVerifyReport(MockReportKey key) {
        this.key = key;
    }

    @Override
    public long execute(GuestCpu cpu, int version) {
        long gpa = cpu.gprs().rcx();
        if (!Addresses.isAligned(gpa, TdReport.REPORTMACSTRUCT_BYTES)) {
            return OPERAND_INVALID.with(Operand.RCX);
        }
        long hpa = cpu.operand(gpa, Access.READ, true);
        if (hpa == GuestCpu.NOT_COMPLETED) {
            return GuestCpu.NOT_COMPLETED;
        }
        if (hpa == GuestCpu.BAD_ADDRESS) {
            return OPERAND_INVALID.with(Operand.RCX);
        }
        byte[] report = cpu.buffer();
        cpu.memory().read(hpa, report, 0, TdReport.REPORTMACSTRUCT_BYTES);
        for (int i = 0; i < TdReport.CPUSVN_BYTES; i++) {
            if (report[TdReport.CPUSVN + i] != 0) {
                return INVALID_CPUSVN.word();
            }
        }
        byte[] claimed =
                Arrays.copyOfRange(report, TdReport.MAC, TdReport.MAC + TdReport.MAC_BYTES);
        boolean genuine = MessageDigest.isEqual(claimed, key.mac(report, TdReport.MAC));
        return genuine ? Status.SUCCESS : INVALID_REPORTMACSTRUCT.word();
    }
}
