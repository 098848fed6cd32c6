// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.tdg;

import static dev.seamlab.seam.abi.StatusCode.OPERAND_INVALID;
import static dev.seamlab.seam.abi.StatusCode.PAGE_ALREADY_ACCEPTED;
import static dev.seamlab.seam.abi.StatusCode.PAGE_SIZE_MISMATCH;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Gpa;
import dev.seamlab.machine.Hpa;
import dev.seamlab.seam.abi.ExitReason;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.SeptEntryState;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.guest.GuestCpu;
import dev.seamlab.seam.guest.TdcallHandler;
import dev.seamlab.seam.lock.SharexLock;
import dev.seamlab.seam.sept.SeptCursor;
import dev.seamlab.seam.sept.SeptEntry;

/**
 * TDG.MEM.PAGE.ACCEPT: zeroes a pending page and makes it the guest's (facts: module ABI section
 * 8.5).
 *
 * <p>A 2M page is zeroed 4K at a time. When an interrupt for the host comes in between, the number
 * of pages done is kept in the entry's address bits 20:12, and the guest, which executes the
 * instruction again, goes on from there. Host leaves see a pending page and drop the number.
 */
final class MemPageAccept implements TdcallHandler {
    private static final int LAST_OF_2M = Addresses.PAGES_PER_RANGE - 1;
    private static final long COUNTER = (long) LAST_OF_2M << Addresses.PAGE_SHIFT;

    @Override
    public long execute(GuestCpu cpu, int version) {
        long operand = cpu.gprs().rcx();
        int level = PageInfo.level(operand);
        if (!GuestOperands.isPageInfo(operand, PageInfo.LEVEL_2M)
                || !cpu.config().isPrivate(PageInfo.address(operand))) {
            return OPERAND_INVALID.with(Operand.RCX);
        }
        @Gpa long gpa = PageInfo.address(operand);
        SeptCursor sept = cpu.sept();
        if (!sept.walk(cpu.tdcs().septRoot(), gpa, level)) {
            return isAccessibleLeaf(sept.entry())
                    ? PAGE_ALREADY_ACCEPTED.withDetail(sept.level())
                    : cpu.exitAtEntry(gpa, ExitReason.EXTENDED_ACCEPT, level);
        }
        if (GuestOperands.isFree(sept.entry()) && sept.isUnlocked()) {
            // Nothing to work on: locking the entry, seeing this and unlocking it again would be
            // the
            // same to everybody else.
            return cpu.exitAtEntry(gpa, ExitReason.EXTENDED_ACCEPT, level);
        }
        int lock = sept.lockAsGuest();
        if (lock != SharexLock.TAKEN) {
            return GuestOperands.busy(lock, Operand.RCX);
        }
        long entry = sept.entry();
        if (!SeptEntry.isLeaf(entry) && !GuestOperands.isFree(entry)) {
            sept.unlockIfHeld();
            return PAGE_SIZE_MISMATCH.withDetail(level);
        }
        if (isAccessibleLeaf(entry)) {
            sept.unlockIfHeld();
            return PAGE_ALREADY_ACCEPTED.withDetail(level);
        }
        if (!isPending(entry)) {
            sept.unlockIfHeld();
            return cpu.exitAtEntry(gpa, ExitReason.EXTENDED_ACCEPT, level);
        }
        if (level == PageInfo.LEVEL_4K) {
            cpu.memory().zeroPage(SeptEntry.hpa(entry));
        } else if (!zeroRange(cpu, entry)) {
            return cpu.exitForInterrupt();
        }
        boolean exported = SeptEntry.is(entry, SeptEntryState.PENDING_EXPORTED_DIRTY);
        sept.commit(
                SeptEntry.withState(
                        entry & ~counterBits(level),
                        exported ? SeptEntryState.EXPORTED_DIRTY : SeptEntryState.MAPPED));
        return Status.SUCCESS;
    }

    /** Zeroes the rest of a 2M page. Returns false when an interrupt stopped it, entry unlocked. */
    private static boolean zeroRange(GuestCpu cpu, long entry) {
        @Hpa long base = SeptEntry.leafHpa(entry, PageInfo.LEVEL_2M);
        if (!cpu.memory().isRangeTouched(base)) {
            // Nothing to do, hence nothing to interrupt.
            return true;
        }
        int page = (int) ((entry & COUNTER) >>> Addresses.PAGE_SHIFT);
        while (true) {
            cpu.memory().zeroPage(base + Addresses.hpa(page));
            if (page == LAST_OF_2M) {
                return true;
            }
            page++;
            if (cpu.interruptPending()) {
                cpu.sept().commit((entry & ~COUNTER) | Addresses.hpa(page));
                return false;
            }
        }
    }

    private static boolean isAccessibleLeaf(long entry) {
        return SeptEntry.isLeaf(entry) && SeptEntry.isAccessible(entry);
    }

    private static boolean isPending(long entry) {
        return SeptEntry.is(entry, SeptEntryState.PENDING)
                || SeptEntry.is(entry, SeptEntryState.PENDING_EXPORTED_DIRTY);
    }

    private static long counterBits(int level) {
        return level == PageInfo.LEVEL_2M ? COUNTER : 0;
    }
}
