// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.seamcall;

import dev.seamlab.machine.sched.TimeBuckets;
import dev.seamlab.seam.abi.Leaf;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/**
 * How long the SEAMCALLs of each leaf took, in {@link TimeBuckets}. A call costs two writes in
 * memory that only its CPU writes: no read-modify-write, no allocation, no shared line.
 */
public final class LeafTimes {
    private static final int SUM = TimeBuckets.COUNT;
    private static final int WORDS = TimeBuckets.COUNT + 1;
    private static final VarHandle LONGS = MethodHandles.arrayElementVarHandle(long[].class);

    // Per CPU: buckets and a sum for each leaf. Written by whoever has claimed the CPU.
    private final AtomicReferenceArray<long @Nullable []> tables;

    LeafTimes(int cpus) {
        this.tables = new AtomicReferenceArray<>(cpus);
    }

    /**
     * A call is over; on the CPU's own thread. Numbers of no leaf are not measured: the counters
     * have them.
     *
     * @param rax on the way in
     * @param nanos how long it took
     */
    void took(int cpu, long rax, long nanos) {
        @Nullable Leaf leaf = Leaf.of((int) rax & 0xFFFF);
        if (leaf == null) {
            return;
        }
        long[] table = tables.get(cpu);
        if (table == null) {
            table = new long[Leaf.values().length * WORDS];
            tables.set(cpu, table);
        }
        int base = leaf.ordinal() * WORDS;
        add(table, base + TimeBuckets.of(nanos), 1);
        add(table, base + SUM, nanos);
    }

    private static void add(long[] table, int at, long more) {
        LONGS.setOpaque(table, at, (long) LONGS.getOpaque(table, at) + more);
    }

    /** Calls of a leaf so far on all CPUs, by {@link TimeBuckets}. */
    public long[] buckets(Leaf leaf) {
        long[] sums = new long[TimeBuckets.COUNT];
        for (int bucket = 0; bucket < sums.length; bucket++) {
            sums[bucket] = total(leaf.ordinal() * WORDS + bucket);
        }
        return sums;
    }

    /** What the calls of a leaf took together, in nanoseconds. */
    public long sumNanos(Leaf leaf) {
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
