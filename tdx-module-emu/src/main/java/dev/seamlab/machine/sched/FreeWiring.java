// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.machine.sched;

import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/**
 * Production: real threads, the real clock, and steps that cost nothing.
 *
 * <p>Waiting spins briefly, then yields, then sleeps for growing times up to 200 µs. Conditions are
 * polled, so a signal has nothing to do and a lost wake-up is impossible.
 */
@SuppressWarnings(
        "ThreadPriorityCheck") // yielding is a hint between spinning and sleeping, no rule
final class FreeWiring extends Wiring {
    private static final int SPINS = 64;
    private static final int YIELDS = 16;
    private static final long SHORTEST_NAP_NANOS = 5_000;
    private static final long LONGEST_NAP_NANOS = 200_000;

    @Override
    protected void step(Step step, Object where, int index) {
        // Real threads need no permission to go on.
    }

    @Override
    protected void await(BooleanSupplier condition) {
        await(condition, Long.MAX_VALUE);
    }

    @Override
    protected boolean await(BooleanSupplier condition, long nanos) {
        for (int i = 0; i < SPINS; i++) {
            if (condition.getAsBoolean()) {
                return true;
            }
            Thread.onSpinWait();
        }
        for (int i = 0; i < YIELDS; i++) {
            if (condition.getAsBoolean()) {
                return true;
            }
            Thread.yield();
        }
        long start = System.nanoTime();
        long nap = SHORTEST_NAP_NANOS;
        while (!condition.getAsBoolean()) {
            long left = nanos - (System.nanoTime() - start);
            if (left <= 0) {
                return false;
            }
            // An interrupted thread must not turn the nap into a busy loop, nor lose its flag.
            boolean interrupted = Thread.interrupted();
            LockSupport.parkNanos(Math.min(nap, left));
            if (interrupted) {
                Thread.currentThread().interrupt();
                Thread.yield();
            }
            nap = Math.min(nap * 2, LONGEST_NAP_NANOS);
        }
        return true;
    }

    @Override
    protected boolean sleep(BooleanSupplier condition, long nanos) {
        long start = System.nanoTime();
        boolean interrupted = false;
        try {
            while (!condition.getAsBoolean()) {
                long left = nanos - (System.nanoTime() - start);
                if (left <= 0) {
                    return false;
                }
                LockSupport.parkNanos(left);
                interrupted |= Thread.interrupted();
            }
            return true;
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    @Override
    protected void wake(Thread sleeper) {
        LockSupport.unpark(sleeper);
    }

    @Override
    protected void pause() {
        Thread.onSpinWait();
    }

    @Override
    protected void signal() {
        // Conditions are polled.
    }

    @Override
    protected long nanoTime() {
        return System.nanoTime();
    }

    @Override
    protected Thread start(String name, Runnable body) {
        // Platform threads: a vCPU may spin in its guest for ever, and virtual threads, which are
        // not
        // preempted, would all wait for it once it has their carriers.
        return Thread.ofPlatform().daemon(true).name(name).start(body);
    }
}
