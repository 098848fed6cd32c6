// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.machine.sched;

import java.util.ServiceLoader;
import java.util.function.BooleanSupplier;

/**
 * How the steps of concurrent code are driven: by real threads ({@link FreeWiring}), one at a time
 * under a scheduler ({@link SteppedWiring}), or by another wiring that somebody installs through
 * {@link ServiceLoader}.
 *
 * <p>There is one wiring per JVM, behind a static final field: nine crossings cost the same as
 * none. As an instance field with three implementations loaded each crossing costs 2 ns, which
 * doubles a fault (facts: performance sheet section 6). A deterministic run is another JVM or class
 * loader.
 */
public abstract class Wiring {
    /** Kinds of step that another logical thread can observe. */
    public enum Step {
        READ,
        WRITE,
        /** Any read-modify-write of one word, whether it changes the word or not. */
        COMPARE_AND_SET,
        /** Taking a {@link Lock}; a scheduler takes this step only while the lock is free. */
        LOCK,
        /** Taking a {@link Lock} that may be taken; never waits. */
        TRY_LOCK,
        UNLOCK,
        WAIT,
        SIGNAL
    }

    /**
     * Called before every step that another logical thread can observe.
     *
     * @param where the array that holds the word, or the lock or queue itself
     * @param index place of the word in its array; 0 for locks and queues
     */
    protected abstract void step(Step step, Object where, int index);

    /**
     * Returns once the condition holds. The condition reads shared words only and has no effect.
     */
    protected abstract void await(BooleanSupplier condition);

    /**
     * Returns once the condition holds or the time is over.
     *
     * @param nanos how long to wait at most, on this wiring's clock
     * @return whether the condition holds
     */
    protected abstract boolean await(BooleanSupplier condition, long nanos);

    /**
     * Sleeps until {@link #wake} is called for this thread and the condition holds, or the time is
     * over.
     */
    protected abstract boolean sleep(BooleanSupplier condition, long nanos);

    /** Lets a sleeping thread look at its condition again. */
    protected abstract void wake(Thread sleeper);

    /** Lets others go on for a moment, between two attempts at something that was busy. */
    protected abstract void pause();

    /** Tells waiters that words their conditions read have changed. */
    protected abstract void signal();

    /** Nanoseconds on a clock that only moves forward; its zero is arbitrary. */
    protected abstract long nanoTime();

    /**
     * Starts a logical thread.
     *
     * @throws UnsupportedOperationException where all threads are there before a run begins
     */
    protected abstract Thread start(String name, Runnable body);
}
