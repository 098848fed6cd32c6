// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.machine.sched;

import java.time.Duration;
import java.util.function.BooleanSupplier;

/** Waiting, waking, time and threads, as the wiring of this JVM provides them. */
public final class Waits {
    private Waits() {}

    /**
     * Returns once the condition holds. Must not be called while holding a spinning lock.
     *
     * @param condition reads shared words only, and has no effect
     */
    public static void until(BooleanSupplier condition) {
        assert LockRank.Held.maySleep();
        spinUntil(condition);
    }

    /** Like {@link #until}, for the holder of a spinning lock that waits for another CPU. */
    public static void spinUntil(BooleanSupplier condition) {
        Installed.WIRING.await(condition);
    }

    /**
     * Waits for a condition, but not for ever.
     *
     * @return whether the condition holds
     */
    public static boolean until(BooleanSupplier condition, Duration atMost) {
        assert LockRank.Held.maySleep();
        return Installed.WIRING.await(condition, atMost.toNanos());
    }

    /**
     * A CPU that is busy for a while, or until a condition holds. Unlike {@link #until} it may hold
     * a CPU or a spinning lock: nobody else gets them meanwhile.
     *
     * @return whether the condition holds
     */
    public static boolean busyUntil(BooleanSupplier condition, Duration atMost) {
        return Installed.WIRING.await(condition, atMost.toNanos());
    }

    /** Between two attempts at something that answered BUSY. */
    public static void pause() {
        Installed.WIRING.pause();
    }

    /** Call after changing a word that a waiter's condition reads. */
    public static void changed() {
        Installed.WIRING.signal();
    }

    /** Nanoseconds on a clock that only moves forward. */
    public static long nanoTime() {
        return Installed.WIRING.nanoTime();
    }

    /**
     * Starts a logical thread.
     *
     * @throws UnsupportedOperationException in a run whose threads are all there before it begins
     */
    public static Thread start(String name, Runnable body) {
        return Installed.WIRING.start(name, body);
    }
}
