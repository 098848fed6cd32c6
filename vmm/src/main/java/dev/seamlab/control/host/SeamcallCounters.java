// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.host;

import dev.seamlab.seam.SeamcallListener;
import dev.seamlab.seam.abi.Status;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.function.LongConsumer;

/**
 * How often each leaf ended with each status. Counting costs a table look-up in memory that only
 * one CPU writes: no read-modify-write, no allocation, no shared line.
 *
 * <p>A <em>kind</em> is a leaf and a status code without its detail: bits 63:32 of the status, and
 * in bits 15:0 the leaf.
 */
public final class SeamcallCounters implements SeamcallListener {
    /** Places for kinds, a power of two; one more, at the end, is for {@link #OTHER}. */
    private static final int SLOTS = 512;

    /** Places that a kind may have; there are some 80 leaves with a few statuses each. */
    private static final int PROBES = 64;

    /** Marks a slot as used, so that the kind 0 (TDH.VP.ENTER with success) differs from empty. */
    private static final long USED = 1L << 31;

    /** Leaf number that stands for everything that found no slot. */
    public static final int OTHER = 0xFFFF;

    private static final int LEAF_MASK = 0xFFFF;
    private static final VarHandle LONGS = MethodHandles.arrayElementVarHandle(long[].class);

    // Per CPU: kind and count side by side. Written by whoever has claimed the CPU, one at a time.
    private final AtomicReferenceArray<long[]> tables;
    private final Set<Long> known = ConcurrentHashMap.newKeySet();
    private volatile LongConsumer onNewKind = kind -> {};

    SeamcallCounters(int cpus) {
        this.tables = new AtomicReferenceArray<>(cpus);
    }

    /** Calls back for every kind: now for those that are known, later when one comes up. */
    public void onKind(LongConsumer listener) {
        onNewKind = listener;
        known.forEach(listener::accept);
    }

    @Override
    public void completed(int cpu, int leaf, long status) {
        long[] table = tables.get(cpu);
        if (table == null) {
            table = new long[2 * (SLOTS + 1)];
            tables.set(cpu, table);
        }
        int at = slot(table, kind(leaf, status));
        LONGS.setOpaque(table, at + 1, (long) LONGS.getOpaque(table, at + 1) + 1);
    }

    /** Calls of this kind so far, on all CPUs. */
    public long count(long kind) {
        long sum = 0;
        for (int cpu = 0; cpu < tables.length(); cpu++) {
            long[] table = tables.get(cpu);
            for (int at = 0; table != null && at < table.length; at += 2) {
                if ((long) LONGS.getOpaque(table, at) == (kind | USED)) {
                    sum += (long) LONGS.getOpaque(table, at + 1);
                }
            }
        }
        return sum;
    }

    public static long kind(int leaf, long status) {
        return (status & Status.CODE_MASK) | (leaf & LEAF_MASK);
    }

    /** Leaf number of a kind. */
    public static int leaf(long kind) {
        return (int) kind & LEAF_MASK;
    }

    /** Status word of a kind, without detail. */
    public static long status(long kind) {
        return kind & Status.CODE_MASK;
    }

    private int slot(long[] table, long kind) {
        int start = (int) ((kind * 0x9E37_79B9_7F4A_7C15L) >>> 55);
        for (int i = 0; i < PROBES; i++) {
            int at = 2 * ((start + i) & (SLOTS - 1));
            long there = (long) LONGS.getOpaque(table, at);
            if (there == (kind | USED)) {
                return at;
            }
            if (there == 0) {
                return take(table, at, kind);
            }
        }
        int last = 2 * SLOTS;
        return (long) LONGS.getOpaque(table, last) == 0 ? take(table, last, OTHER) : last;
    }

    private int take(long[] table, int at, long kind) {
        LONGS.setOpaque(table, at, kind | USED);
        if (known.add(kind)) {
            onNewKind.accept(kind);
        }
        return at;
    }
}
