// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.guest.ProgramRunner;
import dev.seamlab.machine.GuestCode;
import dev.seamlab.machine.GuestMode;
import dev.seamlab.machine.GuestMode.Outcome;
import dev.seamlab.machine.Registers;
import dev.seamlab.seam.abi.TdcallLeaf;

/** A guest that does one thing, tells how it went, and lets user space run. */
abstract class OneThing implements GuestCode {
    boolean done;

    /** Whether it is done. */
    abstract boolean attempt(GuestMode cpu);

    @Override
    public void step(GuestMode cpu) {
        if (!done) {
            done = attempt(cpu);
            return;
        }
        Registers regs = cpu.gprs().clear();
        regs.set(Registers.RCX, 0xFC00);
        regs.set(Registers.R11, 30);
        regs.set(Registers.R12, 2);
        regs.set(Registers.R13, 1);
        regs.set(Registers.R14, ProgramRunner.POWER_PORT);
        regs.set(Registers.R15, ProgramRunner.POWER_OFF);
        var _ = cpu.tdcall();
    }

    /** Accepts a page. */
    static final class AcceptPage extends OneThing {
        final long operand;
        long status;

        AcceptPage(long operand) {
            this.operand = operand;
        }

        @Override
        boolean attempt(GuestMode cpu) {
            cpu.gprs().clear().rax(TdcallLeaf.MEM_PAGE_ACCEPT.number()).rcx(operand);
            if (cpu.tdcall() != Outcome.DONE) {
                return false;
            }
            status = cpu.gprs().rax();
            return true;
        }
    }

    /** Reads eight bytes and writes others. */
    static final class Exchange extends OneThing {
        final long gpa;
        final byte[] found = new byte[8];
        final byte[] written;

        Exchange(long gpa, long value) {
            this.gpa = gpa;
            this.written = MemoryRun.bytes(value);
        }

        @Override
        boolean attempt(GuestMode cpu) {
            return cpu.read(gpa, found, 0, 8) == Outcome.DONE
                    && cpu.write(gpa, written, 0, 8) == Outcome.DONE;
        }
    }
}
