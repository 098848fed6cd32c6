// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * Threads that do one piece of work together, so that its wall time can be measured as a whole: the
 * measuring thread is member 0, and the others stand at the start line, spinning, before the clock
 * runs. Between two pieces of work they sleep.
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
    private final AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
    private volatile boolean isOver;
    private int round;
    private Job mine = NOTHING;

    Crew(int members) {
        this.members = members;
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
                atStart.incrementAndGet();
                while (started.get() < expected) {
                    Thread.onSpinWait();
                }
                measured(member, job);
                atEnd.incrementAndGet();
            }
        } catch (InterruptedException e) {
            failure.set(e);
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
        for (int member = 1; member < members; member++) {
            orders.get(member).add(job);
        }
        while (atStart.get() < members) {
            Thread.onSpinWait();
        }
    }

    /** The measured part: starts everybody and returns when the last is done. */
    void run(Tally tally, int operations) {
        started.set(round);
        measured(0, mine);
        while (atEnd.get() < members) {
            Thread.onSpinWait();
        }
        Throwable broken = failure.get();
        if (broken != null) {
            throw new IllegalStateException("the measured work failed", broken);
        }
        tally.operations += operations;
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
