// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

import dev.seamlab.machine.sched.WaitQueue;
import dev.seamlab.machine.sched.Waits;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Changes of state are queued; progress is looked up when the reader asks, so that a guest's work
 * costs nothing for being watched.
 */
final class Subscription implements TdSubscription {
    /** Changes of state that a reader may lag behind before its stream is ended. */
    private static final int MOST_QUEUED = 1024;

    /** How often progress is looked at while a reader waits. */
    private static final long LOOK_NANOS = 50_000_000;

    private final Td td;
    private final Consumer<Subscription> leave;
    private final ConcurrentLinkedQueue<TdSnapshot> changes = new ConcurrentLinkedQueue<>();
    private final AtomicInteger queued = new AtomicInteger();
    private final WaitQueue waiting = new WaitQueue();
    private volatile boolean over;
    private volatile long seen;

    Subscription(Td td, long afterRevision, Consumer<Subscription> leave) {
        this.td = td;
        this.seen = afterRevision;
        this.leave = leave;
    }

    void offer(TdSnapshot change) {
        if (queued.get() >= MOST_QUEUED) {
            end();
            return;
        }
        queued.incrementAndGet();
        changes.add(change);
        waiting.wakeAll();
    }

    void end() {
        over = true;
        waiting.wakeAll();
    }

    @Override
    public Optional<TdSnapshot> next(Duration atMost) {
        long deadline = Waits.nanoTime() + atMost.toNanos();
        while (true) {
            TdSnapshot next = poll();
            if (next != null) {
                return Optional.of(next);
            }
            long left = deadline - Waits.nanoTime();
            if (left <= 0 || over) {
                return Optional.empty();
            }
            waiting.await(() -> over || !changes.isEmpty(), Math.min(left, LOOK_NANOS));
        }
    }

    private @Nullable TdSnapshot poll() {
        while (true) {
            TdSnapshot change = changes.poll();
            if (change == null) {
                break;
            }
            queued.decrementAndGet();
            if (change.revision() > seen) {
                seen = change.revision();
                return change;
            }
        }
        TdSnapshot now = td.snapshot();
        if (now.revision() <= seen || over) {
            return null;
        }
        seen = now.revision();
        return now;
    }

    @Override
    public boolean ended() {
        return over && changes.isEmpty();
    }

    @Override
    public void close() {
        leave.accept(this);
        changes.clear();
        end();
    }
}
