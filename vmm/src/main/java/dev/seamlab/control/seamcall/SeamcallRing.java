// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.seamcall;

import dev.seamlab.machine.Registers;
import dev.seamlab.machine.sched.Cells;
import java.util.concurrent.atomic.LongAdder;

/**
 * What one watcher has still to be told: a ring of fixed size that any CPU fills and one thread
 * empties. A full ring drops what comes and counts it; nobody ever waits, and nothing is allocated.
 *
 * <p>Each slot carries a turn. It equals the position at which a writer may fill the slot; the
 * writer then makes it one more, which lets the reader at it; the reader makes it the position of
 * the next round.
 */
final class SeamcallRing implements SeamcallSink {
    /** Calls that fit, a power of two. */
    static final int SLOTS = 1024;

    private static final int CPU = 2 * Registers.COUNT;
    private static final int BEGAN = CPU + 1;
    private static final int ENDED = CPU + 2;
    private static final int WORDS = CPU + 3;

    // The writers' position stands clear of everything else.
    private static final int TAIL = 16;

    private final SeamcallFilter filter;
    private final long[] turns = new long[SLOTS];
    private final long[] words = new long[SLOTS * WORDS];
    private final long[] tail = new long[32];
    private final LongAdder dropped = new LongAdder();
    private long head; // the reader's

    /** Told of one call by {@link #poll}. */
    interface Reader {
        /**
         * One call.
         *
         * @param input registers on the way in; valid until this returns
         * @param output registers on the way out; valid until this returns
         * @param began when, in nanoseconds on the clock of the scheduling seam
         * @param ended when, on the same clock
         */
        void call(int cpu, Registers input, Registers output, long began, long ended);
    }

    private final Registers input = new Registers();
    private final Registers output = new Registers();

    SeamcallRing(SeamcallFilter filter) {
        this.filter = filter;
        for (int i = 0; i < SLOTS; i++) {
            turns[i] = i;
        }
    }

    /** Any thread. */
    @Override
    public void offer(int cpu, Registers in, Registers out, long began, long ended) {
        if (!filter.shows(in, out.rax())) {
            return;
        }
        while (true) {
            long at = Cells.acquire(tail, TAIL);
            int slot = (int) at & (SLOTS - 1);
            long turn = Cells.acquire(turns, slot);
            if (turn < at) {
                dropped.increment();
                return;
            }
            if (turn == at && Cells.cas(tail, TAIL, at, at + 1)) {
                int base = slot * WORDS;
                for (int i = 0; i < Registers.COUNT; i++) {
                    words[base + i] = in.get(i);
                    words[base + Registers.COUNT + i] = out.get(i);
                }
                words[base + CPU] = cpu;
                words[base + BEGAN] = began;
                words[base + ENDED] = ended;
                Cells.release(turns, slot, at + 1);
                return;
            }
        }
    }

    /** Tells the oldest call, if there is one; the reader's thread only. */
    boolean poll(Reader reader) {
        int slot = (int) head & (SLOTS - 1);
        if (Cells.acquire(turns, slot) != head + 1) {
            return false;
        }
        int base = slot * WORDS;
        for (int i = 0; i < Registers.COUNT; i++) {
            input.set(i, words[base + i]);
            output.set(i, words[base + Registers.COUNT + i]);
        }
        int cpu = (int) words[base + CPU];
        long began = words[base + BEGAN];
        long ended = words[base + ENDED];
        Cells.release(turns, slot, head + SLOTS);
        head++;
        reader.call(cpu, input, output, began, ended);
        return true;
    }

    /** Calls that found no room so far. */
    long dropped() {
        return dropped.sum();
    }
}
