// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.bench.yardstick;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import org.jspecify.annotations.Nullable;

/**
 * A table of four levels with 512 entries each. Missing tables are installed by compare-and-set.
 */
final class Tree {
    static final int ENTRIES = 512;
    static final int MASK = ENTRIES - 1;

    private static final VarHandle LEVEL3 = MethodHandles.arrayElementVarHandle(long[][][][].class);
    private static final VarHandle LEVEL2 = MethodHandles.arrayElementVarHandle(long[][][].class);
    private static final VarHandle LEVEL1 = MethodHandles.arrayElementVarHandle(long[][].class);

    private final long[] @Nullable [][][] root = new long[ENTRIES][][][];

    /** The table with the entry of a page frame. */
    long[] leaf(long frame) {
        int i3 = (int) (frame >>> 27) & MASK;
        long[][][] level2 = (long[][][]) LEVEL3.getAcquire(root, i3);
        if (level2 == null) {
            LEVEL3.compareAndSet(root, i3, null, new long[ENTRIES][][]);
            return leaf(frame);
        }
        int i2 = (int) (frame >>> 18) & MASK;
        long[][] level1 = (long[][]) LEVEL2.getAcquire(level2, i2);
        if (level1 == null) {
            LEVEL2.compareAndSet(level2, i2, null, new long[ENTRIES][]);
            return leaf(frame);
        }
        int i1 = (int) (frame >>> 9) & MASK;
        long[] leaf = (long[]) LEVEL1.getAcquire(level1, i1);
        if (leaf == null) {
            LEVEL1.compareAndSet(level1, i1, null, new long[ENTRIES]);
            return leaf(frame);
        }
        return leaf;
    }
}
