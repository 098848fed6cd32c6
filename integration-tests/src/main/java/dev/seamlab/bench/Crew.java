// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * Threads that do one piece of work together, so that its wall time can be measured as a whole: the
 * measuring thread is member 0, and the others stand at the start line, spinning, before the clock
 * runs. Between two pieces of work they sleep.
 *
 * <p>A crew with a probe tries its cores before and after; where each member had one of its own,
 * the piece of work counts as calm ({@link Tally#calmNanos}). The probe afterwards is inside what
 * JMH measures, so it is only for pieces of work of several milliseconds.
 */
final class Crew implements AutoCloseable {
    /** What one member does. */
    @FunctionalInterface
    interface Job {
        void run(int member);
    }

    private static final Job NOTHING = member -> {};

    private final int members;
    private final List<BlockingQueue<Job>> orders = new ArrayList<>();
    private final List<Tally.Meter> meters = new ArrayList<>();
    private final AtomicInteger atStart = new AtomicInteger();
    private final AtomicInteger started = new AtomicInteger();
    private final AtomicInteger atEnd = new AtomicInteger();
    private final AtomicInteger met = new AtomicInteger();
    private final AtomicLong slowestProbe = new AtomicLong();
    private final @Nullable CoreProbe cores;
    private final AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
    private volatile boolean isOver;
    private int round;
    private Job mine = NOTHING;

    Crew(int members) {
        this(members, null);
    }

    Crew(int members, @Nullable CoreProbe cores) {
        this.members = members;
        this.cores = cores;
        for (int i = 0; i < members; i++) {
            meters.add(new Tally.Meter());
            orders.add(new LinkedBlockingQueue<>());
            if (i > 0) {
                int member = i;
                Thread.ofPlatform().daemon().name("crew-" + i).start(() -> work(member));
            }
        }
    }

    private void work(int member) {
        try {
            for (int expected = 1; ; expected++) {
                Job job = orders.get(member).take();
                if (isOver) {
                    return;
                }
                probe();
                atStart.incrementAndGet();
                while (started.get() < expected) {
                    Thread.onSpinWait();
                }
                measured(member, job);
                atEnd.incrementAndGet();
                probe();
            }
        } catch (InterruptedException e) {
            failure.set(e);
        }
    }

    /** All members at once: each waits for the others, does its arithmetic, and waits again. */
    private void probe() {
        if (cores == null) {
            return;
        }
        meet();
        slowestProbe.accumulateAndGet(CoreProbe.nanos(), Math::max);
        meet();
    }

    private void meet() {
        int ticket = met.incrementAndGet();
        int all = Math.ceilDiv(ticket, members) * members;
        while (met.get() < all) {
            Thread.onSpinWait();
        }
    }

    private void measured(int member, Job job) {
        Tally.Meter meter = meters.get(member);
        meter.begin();
        try {
            job.run(member);
        } catch (RuntimeException | AssertionError e) {
            failure.compareAndSet(null, e);
        }
        meter.end();
    }

    /** Outside the measure: brings every member to the start line. */
    void arm(Job job) {
        mine = job;
        round++;
        atStart.set(1);
        atEnd.set(1);
        slowestProbe.set(0);
        for (int member = 1; member < members; member++) {
            orders.get(member).add(job);
        }
        probe();
        while (atStart.get() < members) {
            Thread.onSpinWait();
        }
    }

    /** The measured part: starts everybody and returns when the last is done. */
    void run(Tally tally, int operations) {
        long from = System.nanoTime();
        started.set(round);
        measured(0, mine);
        while (atEnd.get() < members) {
            Thread.onSpinWait();
        }
        long took = System.nanoTime() - from;
        probe();
        Throwable broken = failure.get();
        if (broken != null) {
            throw new IllegalStateException("the measured work failed", broken);
        }
        tally.operations += operations;
        tally.invocations++;
        if (cores != null && cores.isCalm(slowestProbe.get())) {
            tally.calm(took, operations);
        }
        for (Tally.Meter meter : meters) {
            tally.add(meter);
        }
    }

    /** Sends the other members home. */
    @Override
    public void close() {
        isOver = true;
        for (int member = 1; member < members; member++) {
            orders.get(member).add(NOTHING);
        }
    }
}
