// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.tdg;

import static dev.seamlab.seam.abi.StatusCode.OPERAND_INVALID;
import static dev.seamlab.seam.abi.StatusCode.PAGE_SIZE_MISMATCH;

import dev.seamlab.machine.Registers;
import dev.seamlab.seam.abi.ExitReason;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.guest.GuestCpu;
import dev.seamlab.seam.lock.SharexLock;
import dev.seamlab.seam.sept.SeptCursor;
import dev.seamlab.seam.sept.SeptEntry;

/**
 * TDG.MEM.PAGE.ATTR.RD and .WR: the attributes of a private page, one 16-bit group for L1 and each
 * L2 VM (facts: module ABI section 2.2). A TD of this module has no L2 VMs, and L1 has no
 * attributes, so the groups are all zero; what remains are the checks, the page's size and whether
 * it is pending.
 *
 * <p>Which states the two accept is taken from their purpose, as the facts do not list it: leaves
 * that are not blocked.
 */
final class MemPageAttr {
    private static final long PENDING = 1L << 62;
    private static final int GROUPS = 4;
    private static final int GROUP_BITS = 16;
    private static final long GROUP = 0xFFFF;

    private MemPageAttr() {}

    /** ATTR.RD finds the page at whatever level it is mapped. */
    static long read(GuestCpu cpu, int version) {
        Registers gprs = cpu.gprs();
        long gpa = gprs.rcx();
        if (!cpu.config().isPrivate(gpa)) {
            return refuse(gprs, OPERAND_INVALID.with(Operand.RCX));
        }
        SeptCursor sept = cpu.sept();
        sept.walk(cpu.tdcs().septRoot(), gpa, PageInfo.LEVEL_4K);
        int lock = sept.lockAsGuest();
        if (lock != SharexLock.TAKEN) {
            return refuse(gprs, GuestOperands.busy(lock, Operand.RCX));
        }
        long entry = sept.entry();
        int level = sept.level();
        sept.unlockIfHeld();
        if (!isReadable(entry)) {
            return cpu.exitWithoutDetails(gpa);
        }
        gprs.rcx((gpa & -PageInfo.sizeOf(level)) | level | pending(entry));
        gprs.rdx(0);
        return Status.SUCCESS;
    }

    /** ATTR.WR works on a page of the given size. */
    static long write(GuestCpu cpu, int version) {
        Registers gprs = cpu.gprs();
        for (int vm = 0; vm < GROUPS; vm++) {
            if ((gprs.rdx() >>> (vm * GROUP_BITS) & GROUP) != 0) {
                return refuse(gprs, OPERAND_INVALID.with(Operand.RDX));
            }
            if ((gprs.r8() >>> (vm * GROUP_BITS) & GROUP) != 0) {
                return refuse(gprs, OPERAND_INVALID.with(Operand.R8));
            }
        }
        long operand = gprs.rcx();
        long gpa = PageInfo.address(operand);
        int level = PageInfo.level(operand);
        if (!GuestOperands.isPageInfo(operand, PageInfo.LEVEL_1G) || !cpu.config().isPrivate(gpa)) {
            return refuse(gprs, OPERAND_INVALID.with(Operand.RCX));
        }
        SeptCursor sept = cpu.sept();
        if (!sept.walk(cpu.tdcs().septRoot(), gpa, level)) {
            return cpu.exitAtEntry(gpa, ExitReason.EXTENDED_ATTR_WR, level);
        }
        int lock = sept.lockAsGuest();
        if (lock != SharexLock.TAKEN) {
            return refuse(gprs, GuestOperands.busy(lock, Operand.RCX));
        }
        long entry = sept.entry();
        sept.unlockIfHeld();
        if (!SeptEntry.isLeaf(entry) && !GuestOperands.isFree(entry)) {
            return refuse(gprs, PAGE_SIZE_MISMATCH.withDetail(level));
        }
        if (!isWritable(entry)) {
            return cpu.exitAtEntry(gpa, ExitReason.EXTENDED_ATTR_WR, level);
        }
        gprs.rcx(operand | pending(entry));
        gprs.rdx(0);
        return Status.SUCCESS;
    }

    private static boolean isReadable(long entry) {
        return switch (SeptEntry.state(entry)) {
            case FREE, REMOVED, NL_MAPPED, NL_BLOCKED, BLOCKED, PENDING_BLOCKED -> false;
            default -> true;
        };
    }

    private static boolean isWritable(long entry) {
        return switch (SeptEntry.state(entry)) {
            case MAPPED, EXPORTED_DIRTY, PENDING, PENDING_EXPORTED_DIRTY -> true;
            default -> false;
        };
    }

    private static long pending(long entry) {
        return switch (SeptEntry.state(entry)) {
            case PENDING,
                    PENDING_BLOCKEDW,
                    PENDING_EXPORTED_BLOCKEDW,
                    PENDING_EXPORTED_DIRTY,
                    PENDING_EXPORTED_DIRTY_BLOCKEDW ->
                    PENDING;
            default -> 0;
        };
    }

    private static long refuse(Registers gprs, long status) {
        gprs.rcx(0);
        gprs.rdx(0);
        return status;
    }
}
