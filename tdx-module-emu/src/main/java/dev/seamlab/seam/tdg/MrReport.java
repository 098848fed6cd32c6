// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.tdg;

import static dev.seamlab.seam.abi.StatusCode.OPERAND_INVALID;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.GuestMode.Access;
import dev.seamlab.machine.Registers;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.TdReport;
import dev.seamlab.seam.guest.GuestCpu;
import dev.seamlab.seam.guest.TdcallHandler;
import dev.seamlab.seam.lock.SharexLock;
import dev.seamlab.seam.td.Tdcs;

/**
 * TDG.MR.REPORT: writes a TDREPORT_STRUCT to guest memory (facts: module ABI sections 2.2 and
 * 10.3). Both addresses may be private or shared. Where TEE_INFO_HASH is not known from an earlier
 * report, an interrupt for the host stops the leaf once, and the guest executes it again.
 */
final class MrReport implements TdcallHandler {
    private final MockReportKey key;

    MrReport(MockReportKey key) {
        this.key = key;
    }

    @Override
    public long execute(GuestCpu cpu, int version) {
        Registers gprs = cpu.gprs();
        long reportGpa = gprs.rcx();
        if (!Addresses.isAligned(reportGpa, TdReport.SIZE)) {
            return OPERAND_INVALID.with(Operand.RCX);
        }
        long dataGpa = gprs.rdx();
        if (!Addresses.isAligned(dataGpa, TdReport.REPORTDATA_BYTES)) {
            return OPERAND_INVALID.with(Operand.RDX);
        }
        long data = cpu.operand(dataGpa, Access.READ, false);
        if (data == GuestCpu.NOT_COMPLETED) {
            return GuestCpu.NOT_COMPLETED;
        }
        if (data == GuestCpu.BAD_ADDRESS) {
            return OPERAND_INVALID.with(Operand.RDX);
        }
        if (gprs.r8() != 0) {
            return OPERAND_INVALID.with(Operand.R8);
        }
        byte[] report = cpu.buffer();
        Tdcs tdcs = cpu.tdcs();
        int lock = SharexLock.tryShareAsGuest(tdcs.locks(), Tdcs.RTMR_LOCK);
        if (lock != SharexLock.TAKEN) {
            return GuestOperands.busy(lock, Operand.RTMR);
        }
        ReportWriter.tdInfo(tdcs, report);
        boolean wasHashed = tdcs.teeInfoHashed();
        tdcs.teeInfoHashed(true);
        SharexLock.releaseShare(tdcs.locks(), Tdcs.RTMR_LOCK);
        if (!wasHashed && cpu.interruptPending()) {
            // Hashing took long. The guest asks again, and then the hash is there.
            return cpu.exitForInterrupt();
        }
        cpu.memory().read(data, report, TdReport.REPORTDATA, TdReport.REPORTDATA_BYTES);
        ReportWriter.complete(cpu.state().profile().module(), key, report);
        long target = cpu.operand(reportGpa, Access.WRITE, false);
        if (target == GuestCpu.NOT_COMPLETED) {
            return GuestCpu.NOT_COMPLETED;
        }
        if (target == GuestCpu.BAD_ADDRESS) {
            return OPERAND_INVALID.with(Operand.RCX);
        }
        cpu.memory().write(target, report, 0, TdReport.SIZE);
        return Status.SUCCESS;
    }
}
