// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.seamcall;

import dev.seamlab.machine.Registers;
import dev.seamlab.seam.abi.Leaf;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/**
 * How long the SEAMCALLs of each leaf take, in buckets of powers of two. A call costs two clock
 * readings and three plain writes in memory that only its CPU writes: no read-modify-write, no
 * allocation, no shared line.
 */
public final class LeafTimes implements SeamcallSink {
    /** The first bucket ends here: 2^6 ns. */
    private static final int FIRST_BITS = 6;

    /** Buckets with an end: up to 2^27 ns, some 134 ms. One more has none. */
    public static final int BUCKETS = 22;

    private static final int SUM = BUCKETS + 1;
    private static final int WORDS = BUCKETS + 2;
    private static final VarHandle LONGS = MethodHandles.arrayElementVarHandle(long[].class);

    // Per CPU: buckets and a sum for each leaf. Written by whoever has claimed the CPU.
    private final AtomicReferenceArray<long @Nullable []> tables;

    LeafTimes(int cpus) {
        this.tables = new AtomicReferenceArray<>(cpus);
    }

    @Override
    public void offer(int cpu, Registers in, Registers out, long began, long ended) {
        @Nullable Leaf leaf = Leaf.of((int) in.rax() & 0xFFFF);
        if (leaf == null) {
            return; // the counters have it; nobody asks how long nothing took
        }
        long[] table = tables.get(cpu);
        if (table == null) {
            table = new long[Leaf.values().length * WORDS];
            tables.set(cpu, table);
        }
        int base = leaf.ordinal() * WORDS;
        add(table, base + bucket(ended - began), 1);
        add(table, base + SUM, ended - began);
    }

    private static void add(long[] table, int at, long more) {
        LONGS.setOpaque(table, at, (long) LONGS.getOpaque(table, at) + more);
    }

    /** The bucket of a time: the first whose end is not below it. */
    static int bucket(long nanos) {
        int bits = Long.SIZE - Long.numberOfLeadingZeros(Math.max(0, nanos - 1));
        return Math.min(Math.max(0, bits - FIRST_BITS), BUCKETS);
    }

    /** The longest time of a bucket, in nanoseconds. */
    public static long end(int bucket) {
        return 1L << (FIRST_BITS + bucket);
    }

    /**
     * Calls of a leaf so far, on all CPUs.
     *
     * @param bucket up to {@link #BUCKETS}, the one without an end
     */
    public long count(Leaf leaf, int bucket) {
        return total(leaf.ordinal() * WORDS + bucket);
    }

    /** What the calls of a leaf took together, in nanoseconds. */
    public long sum(Leaf leaf) {
        return total(leaf.ordinal() * WORDS + SUM);
    }

    private long total(int at) {
        long sum = 0;
        for (int cpu = 0; cpu < tables.length(); cpu++) {
            long[] table = tables.get(cpu);
            sum += table == null ? 0 : (long) LONGS.getOpaque(table, at);
        }
        return sum;
    }
}
