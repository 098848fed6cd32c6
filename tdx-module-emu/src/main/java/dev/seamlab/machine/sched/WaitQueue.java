// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.machine.sched;

import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.BooleanSupplier;

/**
 * For long waits: threads sleep until a condition holds and somebody says so. For waits of
 * microseconds {@link Waits#until} is cheaper.
 *
 * <p>No wake-up is lost: a waiter enters the queue before it reads its condition for the last time,
 * and whoever changes the condition's words calls {@link #wakeAll} afterwards.
 */
public final class WaitQueue {
    private final Queue<Thread> waiters = new ConcurrentLinkedQueue<>();

    /** Sleeps until the condition holds. The condition reads shared words and has no effect. */
    public void await(BooleanSupplier condition) {
        await(condition, Long.MAX_VALUE);
    }

    /**
     * Sleeps until the condition holds or the time is over.
     *
     * @return whether the condition holds
     */
    public boolean await(BooleanSupplier condition, long nanos) {
        assert LockRank.Held.maySleep();
        if (condition.getAsBoolean()) {
            return true;
        }
        Thread self = Thread.currentThread();
        Installed.WIRING.step(Wiring.Step.WAIT, this, 0);
        waiters.add(self);
        try {
            return Installed.WIRING.sleep(condition, nanos);
        } finally {
            waiters.remove(self);
        }
    }

    /** Lets every waiter look at its condition again. */
    public void wakeAll() {
        Installed.WIRING.step(Wiring.Step.SIGNAL, this, 0);
        for (Thread waiter : waiters) {
            Installed.WIRING.wake(waiter);
        }
    }
}
