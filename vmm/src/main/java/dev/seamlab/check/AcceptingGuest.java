// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.check;

import dev.seamlab.machine.Gpa;
import dev.seamlab.machine.GuestCode;
import dev.seamlab.machine.GuestMode;
import dev.seamlab.machine.Registers;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.StatusCode;
import dev.seamlab.seam.abi.TdcallLeaf;
import dev.seamlab.seam.abi.Tdvmcall;

/** A guest that accepts one page at a time when told to, and halts. Used by its vCPU's thread. */
final class AcceptingGuest implements GuestCode {
    private static final long R10_TO_R15 = 0xFC00;

    private @Gpa long gpa;
    private int level;
    private long status = Status.SUCCESS;
    private boolean pending;

    /** What it does when it runs next. */
    void accept(@Gpa long page, int atLevel) {
        gpa = page;
        level = atLevel;
        pending = true;
    }

    /** How the last ACCEPT ended. */
    long status() {
        return status;
    }

    @Override
    public void step(GuestMode cpu) {
        Registers regs = cpu.gprs();
        if (!pending) {
            regs.clear();
            regs.rcx(R10_TO_R15);
            regs.set(Registers.R11, Tdvmcall.HLT);
            var _ = cpu.tdcall();
            return;
        }
        regs.rax(TdcallLeaf.MEM_PAGE_ACCEPT.number()).rcx(PageInfo.ofGpa(gpa, level));
        if (cpu.tdcall() == GuestMode.Outcome.DONE) {
            status = regs.rax();
            // Busy with what the host does to the entry: once more, as a guest kernel does.
            pending = StatusCode.OPERAND_BUSY.matches(status);
        }
    }
}
