// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.tdg;

import static dev.seamlab.seam.abi.StatusCode.OPERAND_INVALID;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.GuestMode.Access;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.guest.GuestCpu;
import dev.seamlab.seam.guest.TdcallHandler;
import dev.seamlab.seam.lock.SharexLock;
import dev.seamlab.seam.td.Measurement;
import dev.seamlab.seam.td.Tdcs;
import java.security.MessageDigest;

/**
 * TDG.MR.RTMR.EXTEND: RTMR[i] := SHA-384(RTMR[i], 48 bytes of guest memory) (facts: module ABI
 * sections 2.2 and 10.2). The memory is read before the index is looked at.
 */
final class MrRtmrExtend implements TdcallHandler {
    private static final int ALIGNMENT = 64;

    @Override
    public long execute(GuestCpu cpu, int version) {
        long gpa = cpu.gprs().rcx();
        if (!Addresses.isAligned(gpa, ALIGNMENT)) {
            return OPERAND_INVALID.with(Operand.RCX);
        }
        long data = cpu.operand(gpa, Access.READ, true);
        if (data == GuestCpu.NOT_COMPLETED) {
            return GuestCpu.NOT_COMPLETED;
        }
        if (data == GuestCpu.BAD_ADDRESS) {
            return OPERAND_INVALID.with(Operand.RCX);
        }
        long index = cpu.gprs().rdx();
        if (Long.compareUnsigned(index, Tdcs.RTMRS) >= 0) {
            return OPERAND_INVALID.with(Operand.RDX);
        }
        byte[] input = cpu.buffer();
        cpu.memory().read(data, input, 0, Measurement.BYTES);
        Tdcs tdcs = cpu.tdcs();
        int lock = SharexLock.tryExclusiveAsGuest(tdcs.locks(), Tdcs.RTMR_LOCK);
        if (lock != SharexLock.TAKEN) {
            return GuestOperands.busy(lock, Operand.RTMR);
        }
        byte[] rtmr = tdcs.rtmr((int) index);
        MessageDigest digest = Measurement.sha384();
        digest.update(rtmr);
        digest.update(input, 0, Measurement.BYTES);
        System.arraycopy(digest.digest(), 0, rtmr, 0, Measurement.BYTES);
        tdcs.teeInfoHashed(false);
        SharexLock.releaseExclusive(tdcs.locks(), Tdcs.RTMR_LOCK);
        return Status.SUCCESS;
    }
}
