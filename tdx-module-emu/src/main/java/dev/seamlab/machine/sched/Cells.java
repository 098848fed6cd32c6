// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.machine.sched;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * Ordered access to shared words in arrays. The method name is the memory ordering; there is no
 * default. Words rather than objects, because small lock objects get packed side by side on the
 * heap and share cache lines.
 */
public final class Cells {
    private static final VarHandle INTS = MethodHandles.arrayElementVarHandle(int[].class);
    private static final VarHandle LONGS = MethodHandles.arrayElementVarHandle(long[].class);

    private Cells() {}

    /** Reads with acquire ordering. */
    public static int acquire(int[] words, int index) {
        Installed.WIRING.step(Wiring.Step.READ, words, index);
        return (int) INTS.getAcquire(words, index);
    }

    /** Reads with acquire ordering. */
    public static long acquire(long[] words, int index) {
        Installed.WIRING.step(Wiring.Step.READ, words, index);
        return (long) LONGS.getAcquire(words, index);
    }

    /**
     * Reads a word that nobody else may touch now, because the caller owns what guards it. No step:
     * no scheduler needs to know.
     */
    public static long owned(long[] words, int index) {
        return (long) LONGS.getAcquire(words, index);
    }

    /** Writes with release ordering. */
    public static void release(int[] words, int index, int value) {
        Installed.WIRING.step(Wiring.Step.WRITE, words, index);
        INTS.setRelease(words, index, value);
    }

    /** Writes with release ordering. */
    public static void release(long[] words, int index, long value) {
        Installed.WIRING.step(Wiring.Step.WRITE, words, index);
        LONGS.setRelease(words, index, value);
    }

    /** Writes so that no later read of this thread comes before it (store, then full fence). */
    public static void volatileWrite(int[] words, int index, int value) {
        Installed.WIRING.step(Wiring.Step.WRITE, words, index);
        INTS.setVolatile(words, index, value);
    }

    /** Reads in the single order that all volatile accesses share. */
    public static int volatileRead(int[] words, int index) {
        Installed.WIRING.step(Wiring.Step.READ, words, index);
        return (int) INTS.getVolatile(words, index);
    }

    /** Reads in the single order that all volatile accesses share. */
    public static long volatileRead(long[] words, int index) {
        Installed.WIRING.step(Wiring.Step.READ, words, index);
        return (long) LONGS.getVolatile(words, index);
    }

    /** Compares and sets, fully ordered on success. */
    public static boolean cas(int[] words, int index, int expected, int next) {
        Installed.WIRING.step(Wiring.Step.COMPARE_AND_SET, words, index);
        return INTS.compareAndSet(words, index, expected, next);
    }

    /** Compares and sets, fully ordered on success. */
    public static boolean cas(long[] words, int index, long expected, long next) {
        Installed.WIRING.step(Wiring.Step.COMPARE_AND_SET, words, index);
        return LONGS.compareAndSet(words, index, expected, next);
    }

    /** Adds and returns the value before, fully ordered. */
    public static int getAndAdd(int[] words, int index, int delta) {
        Installed.WIRING.step(Wiring.Step.COMPARE_AND_SET, words, index);
        return (int) INTS.getAndAdd(words, index, delta);
    }

    /** Adds and returns the value before, fully ordered. */
    public static long getAndAdd(long[] words, int index, long delta) {
        Installed.WIRING.step(Wiring.Step.COMPARE_AND_SET, words, index);
        return (long) LONGS.getAndAdd(words, index, delta);
    }

    /** Sets bits and returns the value before, fully ordered. */
    public static long getAndSetBits(long[] words, int index, long mask) {
        Installed.WIRING.step(Wiring.Step.COMPARE_AND_SET, words, index);
        return (long) LONGS.getAndBitwiseOr(words, index, mask);
    }

    /** Clears bits and returns the value before, fully ordered. */
    public static long getAndClearBits(long[] words, int index, long mask) {
        Installed.WIRING.step(Wiring.Step.COMPARE_AND_SET, words, index);
        return (long) LONGS.getAndBitwiseAnd(words, index, ~mask);
    }

    /** Adds one unless the word is zero; fully ordered on success. Returns whether it did. */
    public static boolean incNotZero(int[] words, int index) {
        int seen = acquire(words, index);
        while (seen != 0) {
            Installed.WIRING.step(Wiring.Step.COMPARE_AND_SET, words, index);
            int witness = (int) INTS.compareAndExchange(words, index, seen, seen + 1);
            if (witness == seen) {
                return true;
            }
            seen = witness;
        }
        return false;
    }

    /** Subtracts one if the word is above one; fully ordered on success. Returns whether it did. */
    public static boolean decAboveOne(int[] words, int index) {
        int seen = acquire(words, index);
        while (seen > 1) {
            Installed.WIRING.step(Wiring.Step.COMPARE_AND_SET, words, index);
            int witness = (int) INTS.compareAndExchange(words, index, seen, seen - 1);
            if (witness == seen) {
                return true;
            }
            seen = witness;
        }
        return false;
    }

    /** Compares and sets a word that is part of a step already taken, such as a lock's own. */
    static boolean casInStep(int[] words, int index, int expected, int next) {
        return INTS.compareAndSet(words, index, expected, next);
    }

    /** Reads a word that is part of a step already taken. */
    static int acquireInStep(int[] words, int index) {
        return (int) INTS.getAcquire(words, index);
    }

    /** Writes a word that is part of a step already taken. */
    static void releaseInStep(int[] words, int index, int value) {
        INTS.setRelease(words, index, value);
    }
}
