// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.machine.Machine;
import dev.seamlab.machine.sched.Cells;
import dev.seamlab.machine.sched.WaitQueue;
import dev.seamlab.machine.sched.Waits;

/**
 * Whether a vCPU is inside the guest, and what others want of it.
 *
 * <p>Why no kick is lost: the vCPU writes "inside" and then reads the request; the kicker writes
 * the request and then reads "inside"; all four are volatile. Either the vCPU sees the request and
 * does not enter, or the kicker sees it inside and interrupts its CPU. The number of exits tells a
 * kicker that the vCPU has been outside even where it has come back in since.
 */
final class VcpuMode {
    private static final int INSIDE = 16;
    private static final int EXITS = 17;
    private static final int CPU = 18;
    private static final int REQUEST = 32;
    private static final int LEAVE = 33;
    private static final int HALTED = 34;
    private static final int SEEN = 48;

    private final int[] words = new int[64];
    private final WaitQueue halt = new WaitQueue();

    /** Announces entry; false where a request stands, and then the vCPU stays outside. */
    boolean tryEnter(HostCpu cpu) {
        Cells.release(words, CPU, cpu.index());
        Cells.volatileWrite(words, INSIDE, 1);
        if (Cells.volatileRead(words, REQUEST) == 0) {
            return true;
        }
        exit();
        Cells.release(words, REQUEST, 0);
        return false;
    }

    /** The vCPU is outside now. */
    void exit() {
        // Only the vCPU's own thread writes these two.
        Cells.release(words, EXITS, words[EXITS] + 1);
        Cells.release(words, INSIDE, 0);
    }

    /** Wants the vCPU outside once. Does not wait. Whether its CPU had to be interrupted. */
    boolean kick(Machine machine) {
        Cells.release(words, SEEN, Cells.acquire(words, EXITS));
        Cells.volatileWrite(words, REQUEST, 1);
        if (Cells.volatileRead(words, INSIDE) != 0) {
            machine.cpus().get(Cells.acquire(words, CPU)).raiseInterrupt();
            return true;
        }
        return false;
    }

    /** Returns once the vCPU has been outside since the last kick. */
    void awaitOutside() {
        int seen = Cells.acquire(words, SEEN);
        if (Cells.volatileRead(words, INSIDE) == 0 || Cells.acquire(words, EXITS) != seen) {
            return;
        }
        Waits.spinUntil(() ->
                Cells.volatileRead(words, INSIDE) == 0 || Cells.acquire(words, EXITS) != seen);
    }

    boolean hasRequest() {
        return Cells.acquire(words, REQUEST) != 0 || mustLeave();
    }

    void requestExit() {
        Cells.volatileWrite(words, LEAVE, 1);
    }

    void allowRun() {
        Cells.volatileWrite(words, LEAVE, 0);
    }

    /** Whether somebody asked the vCPU to return to user space. */
    boolean mustLeave() {
        return Cells.acquire(words, LEAVE) != 0;
    }

    /** Sleeps until somebody asks the vCPU to leave: no device ever interrupts a halted guest. */
    void halt() {
        Cells.release(words, HALTED, 1);
        halt.await(this::mustLeave);
        Cells.release(words, HALTED, 0);
    }

    boolean isHalted() {
        return Cells.acquire(words, HALTED) != 0;
    }

    void wake() {
        halt.wakeAll();
    }
}
