// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.machine.sched;

import java.lang.reflect.Constructor;
import java.util.concurrent.Executor;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * A virtual thread that runs on the thread of its scheduler, when told to and no further than its
 * next stop: handing over costs some 200 ns where platform threads would need microseconds. It
 * executes any number of bodies, one after another.
 *
 * <p>The JDK lets virtual threads have a scheduler of one's own only through its inside, so the JVM
 * needs {@code --add-opens java.base/java.lang=ALL-UNNAMED}.
 */
final class Strand {
    private static final Constructor<?> BUILDER = builder();

    private final Thread thread;
    private @Nullable Runnable continuation;
    private @Nullable LogicalThread job;
    private boolean started;

    Strand() {
        Executor mine = task -> continuation = task;
        try {
            Thread.Builder.OfVirtual builder = (Thread.Builder.OfVirtual) BUILDER.newInstance(mine);
            thread = builder.unstarted(this::work);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException("cannot make a virtual thread", e);
        }
    }

    private static Constructor<?> builder() {
        try {
            Constructor<?> constructor =
                    Class.forName("java.lang.ThreadBuilders$VirtualThreadBuilder")
                            .getDeclaredConstructor(Executor.class);
            constructor.setAccessible(true);
            return constructor;
        } catch (ReflectiveOperationException | RuntimeException e) {
            throw new IllegalStateException(
                    "stepped runs need --add-opens java.base/java.lang=ALL-UNNAMED", e);
        }
    }

    Thread thread() {
        return thread;
    }

    /** What it executes when it goes next. */
    void give(LogicalThread body) {
        job = body;
    }

    /** Runs until it stops again; called by the scheduler's thread. */
    void go() {
        if (started) {
            LockSupport.unpark(thread);
        } else {
            started = true;
            thread.start();
        }
        Runnable next = continuation;
        continuation = null;
        if (next == null) {
            throw new IllegalStateException("the strand has nothing to do");
        }
        next.run();
    }

    /** Stops until it is this thread's turn; called on the strand itself. */
    void stop(LogicalThread self) {
        do {
            LockSupport.park(this);
        } while (!self.mayMove());
    }

    private void work() {
        while (true) {
            LogicalThread body = job;
            if (body != null) {
                job = null;
                body.execute();
                body.run().arrived(body);
            }
            LockSupport.park(this);
        }
    }
}
