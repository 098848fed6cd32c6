// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.machine.sched;

import java.util.function.BooleanSupplier;

/**
 * One logical thread moves at a time, and a {@link SteppedRun} says which. Whoever is no logical
 * thread (setting up, checking, cleaning up between runs) passes through untouched.
 *
 * <p>All logical threads share one carrier, so at most one is inside this class at any moment and
 * plain fields suffice.
 */
final class SteppedWiring extends Wiring {
    @Override
    protected void step(Step step, Object where, int index) {
        LogicalThread self = LogicalThread.current();
        if (self != null) {
            self.step(Act.of(step), where, index);
        } else if (LogicalThread.recorder != null) {
            LogicalThread.recorder.note(where, index);
        }
    }

    @Override
    protected void await(BooleanSupplier condition) {
        await(condition, Long.MAX_VALUE);
    }

    @Override
    protected boolean await(BooleanSupplier condition, long nanos) {
        LogicalThread self = LogicalThread.current();
        if (self == null) {
            if (condition.getAsBoolean()) {
                return true;
            }
            throw new IllegalStateException("nobody else moves, so this wait would never end");
        }
        return self.await(Act.AWAIT, condition, nanos);
    }

    @Override
    protected boolean sleep(BooleanSupplier condition, long nanos) {
        LogicalThread self = LogicalThread.current();
        return self == null ? await(condition, nanos) : self.await(Act.SLEEP, condition, nanos);
    }

    @Override
    protected void wake(Thread sleeper) {
        LogicalThread self = LogicalThread.current();
        if (self != null) {
            self.run().wake(sleeper);
        }
    }

    @Override
    protected void pause() {
        LogicalThread self = LogicalThread.current();
        if (self != null) {
            self.step(Act.PAUSE, self, 0);
        }
    }

    @Override
    protected void signal() {
        // Conditions are looked at again after every step.
    }

    @Override
    protected long nanoTime() {
        LogicalThread self = LogicalThread.current();
        return self == null ? System.nanoTime() : self.run().now();
    }

    /**
     * Refused. A schedule names its threads by their numbers, so all of them are there before the
     * first step ({@link SteppedRun}); one that appears on the way could not be replayed, and one
     * that somebody outside the run starts would move while another one has the turn. Nothing that
     * is explored starts threads: module, host and KVM run on their callers', and those who start
     * vCPU threads are above them.
     */
    @Override
    protected Thread start(String name, Runnable body) {
        throw new UnsupportedOperationException(
                "a stepped run knows all of its threads from the start: " + name);
    }
}
