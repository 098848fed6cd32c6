// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.bench.yardstick;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/** Ordered access to array words, bare. */
public final class Words {
    private static final VarHandle INTS = MethodHandles.arrayElementVarHandle(int[].class);
    private static final VarHandle LONGS = MethodHandles.arrayElementVarHandle(long[].class);

    private Words() {}

    /** Compares and sets. */
    public static boolean cas(int[] words, int index, int expected, int next) {
        return INTS.compareAndSet(words, index, expected, next);
    }

    /** Compares and sets. */
    public static boolean cas(long[] words, int index, long expected, long next) {
        return LONGS.compareAndSet(words, index, expected, next);
    }

    /** Reads with acquire ordering. */
    public static int acquire(int[] words, int index) {
        return (int) INTS.getAcquire(words, index);
    }

    /** Writes with release ordering. */
    public static void release(int[] words, int index, int value) {
        INTS.setRelease(words, index, value);
    }

    /** Writes with release ordering. */
    public static void release(long[] words, int index, long value) {
        LONGS.setRelease(words, index, value);
    }

    /** Writes, and no later read comes before it. */
    static void volatileWrite(int[] words, int index, int value) {
        INTS.setVolatile(words, index, value);
    }

    /** Reads in the order of all volatile accesses. */
    static int volatileRead(int[] words, int index) {
        return (int) INTS.getVolatile(words, index);
    }

    /** Adds one unless the word is zero. Returns whether it did. */
    public static boolean incNotZero(int[] words, int index) {
        int seen = acquire(words, index);
        while (seen != 0) {
            int witness = (int) INTS.compareAndExchange(words, index, seen, seen + 1);
            if (witness == seen) {
                return true;
            }
            seen = witness;
        }
        return false;
    }
}
