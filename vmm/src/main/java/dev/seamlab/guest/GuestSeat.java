// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.guest;

import dev.seamlab.machine.GuestCode;
import dev.seamlab.machine.GuestMode;
import dev.seamlab.machine.Registers;
import org.jspecify.annotations.Nullable;

/**
 * What one vCPU executes: its own program, and for a while visitors, programs that somebody hands
 * in. The own program finds its registers as it left them, also in the middle of a TDVMCALL, as
 * after an interrupt handler of a real guest.
 *
 * <p>Visitors come and go while the vCPU is outside the guest, by whoever drives it. Figures are
 * for any thread and only grow.
 */
public final class GuestSeat implements GuestCode {
    private final ProgramRunner own;
    private final Registers ownRegisters = new Registers();
    private boolean away;
    private volatile @Nullable ProgramRunner visitor;
    private volatile long visitedOperations;
    private volatile long visitedPages;

    public GuestSeat(ProgramRunner own) {
        this.own = own;
    }

    /** From the next entry on the vCPU executes this. */
    public void invite(ProgramRunner program) {
        dismiss();
        visitor = program;
    }

    /** From the next entry on the vCPU executes its own program again. */
    public void dismiss() {
        ProgramRunner gone = visitor;
        if (gone != null) {
            visitor = null;
            long operations = visitedOperations + gone.progress().operations();
            long pages = visitedPages + gone.progress().pagesAccepted();
            visitedOperations = operations;
            visitedPages = pages;
        }
    }

    /** Operations completed, those of visitors included. */
    public long operations() {
        ProgramRunner guest = visitor;
        return own.progress().operations()
                + visitedOperations
                + (guest == null ? 0 : guest.progress().operations());
    }

    /** 4K pages accepted, those of visitors included. */
    public long pagesAccepted() {
        ProgramRunner guest = visitor;
        return own.progress().pagesAccepted()
                + visitedPages
                + (guest == null ? 0 : guest.progress().pagesAccepted());
    }

    /** Whether the own program has come to its end. */
    public boolean isFinished() {
        return own.progress().isFinished();
    }

    @Override
    public void step(GuestMode cpu) {
        ProgramRunner guest = visitor;
        if (guest != null) {
            if (!away) {
                ownRegisters.copyFrom(cpu.gprs());
                away = true;
            }
            guest.step(cpu);
            return;
        }
        if (away) {
            cpu.gprs().copyFrom(ownRegisters);
            away = false;
        }
        own.step(cpu);
    }
}
