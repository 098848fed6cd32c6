// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.cpu;

import dev.seamlab.machine.sched.Cells;
import dev.seamlab.machine.sched.Lock;
import dev.seamlab.machine.sched.LockRank;
import dev.seamlab.machine.sched.LockWaits;
import dev.seamlab.machine.sched.Waits;
import java.time.Duration;
import java.util.function.Supplier;

/**
 * Stops the world, like the kernel's stop_machine with all vCPUs kicked: while somebody has it
 * stopped, no guest executes and nobody is inside a step that changes what host and module hold.
 *
 * <p>Whoever works announces it with {@link #enter} and {@link #leave}: a vCPU for its time on a
 * CPU, a step of a VM for as long as its books do not balance. The stopper raises the hold, keeps
 * interrupting every CPU so that guests leave, and waits until nobody is inside; who comes later
 * waits until it is over. A vCPU asks {@link #isWanted} after each interrupt, never on the fault
 * path.
 *
 * <p>Nobody starves: a stopper that comes after another first lets in whoever waited for that one.
 *
 * <p>Why nobody slips past: the worker counts itself in and then reads the hold; the stopper writes
 * the hold and then reads the count; all four are fully ordered.
 *
 * <p>Place in the lock order: WORLD, after all sleeping locks of a VM. A worker may wait for locks
 * below it while it is inside; nobody waits for a lock above it.
 */
public final class StopMachine {
    private static final int HOLD = 16;
    private static final int INSIDE = 32;
    private static final int WAITING = 48;
    private static final Duration BETWEEN_INTERRUPTS = Duration.ofNanos(HostCpus.SLICE_NANOS);

    private final HostCpus cpus;
    private final Lock stoppers = new Lock(LockRank.WORLD_STOPPER);
    private final int[] words = new int[64];

    public StopMachine(HostCpus cpus) {
        this.cpus = cpus;
    }

    /** Begins to work; waits while the world is stopped. Not reentrant. */
    public void enter() {
        assert LockRank.Held.maySleep();
        assert LockRank.Held.push(LockRank.WORLD);
        if (tryEnter()) {
            return;
        }
        long start = Waits.nanoTime();
        Cells.getAndAdd(words, WAITING, 1);
        do {
            Waits.spinUntil(() -> Cells.volatileRead(words, HOLD) == 0);
        } while (!tryEnter());
        Cells.getAndAdd(words, WAITING, -1);
        Waits.changed();
        LockWaits.waited(LockRank.WORLD, LockWaits.Mode.SHARED, Waits.nanoTime() - start);
    }

    private boolean tryEnter() {
        Cells.getAndAdd(words, INSIDE, 1);
        if (Cells.volatileRead(words, HOLD) == 0) {
            return true;
        }
        Cells.getAndAdd(words, INSIDE, -1);
        Waits.changed();
        return false;
    }

    /** Ends work. */
    public void leave() {
        assert LockRank.Held.pop(LockRank.WORLD);
        Cells.getAndAdd(words, INSIDE, -1);
        Waits.changed();
    }

    /** Lets a stopper in that waits, in the middle of long work whose books balance just now. */
    public void breathe() {
        if (isWanted()) {
            leave();
            enter();
        }
    }

    /** Whether somebody wants the world stopped: leave soon. */
    public boolean isWanted() {
        return Cells.acquire(words, HOLD) != 0;
    }

    /** Whether somebody waits to begin work; the next stopper lets them in first. */
    boolean isAwaited() {
        return Cells.volatileRead(words, WAITING) != 0;
    }

    /**
     * Does something while the world stands still. The action may claim CPUs and issue SEAMCALLs;
     * it must not do anything that {@linkplain #enter enters}.
     */
    public <T> T whileStopped(Supplier<T> action) {
        stoppers.lock();
        try {
            Waits.until(() -> !isAwaited());
            assert LockRank.Held.push(LockRank.WORLD);
            Cells.volatileWrite(words, HOLD, 1);
            try {
                while (Cells.volatileRead(words, INSIDE) != 0) {
                    for (HostCpu cpu : cpus.all()) {
                        cpu.logical().raiseInterrupt();
                    }
                    // Again after a while: a CPU may have taken the last one as somebody else's.
                    Waits.until(() -> Cells.volatileRead(words, INSIDE) == 0, BETWEEN_INTERRUPTS);
                }
                return action.get();
            } finally {
                Cells.volatileWrite(words, HOLD, 0);
                assert LockRank.Held.pop(LockRank.WORLD);
                Waits.changed();
            }
        } finally {
            stoppers.unlock();
        }
    }
}
