// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.machine.sched;

import java.time.Duration;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * A mutual-exclusion lock with a place in the lock order. Not reentrant. Whether its holder may
 * sleep is a property of the rank: a kernel spinlock and a kernel mutex differ in what may happen
 * under them, not in what they exclude.
 *
 * <p>Nobody starves, as under the kernel's queued spinlocks and mutexes, though there is no queue:
 * whoever finds the lock free takes it, until somebody has waited for {@link #PATIENCE}; then
 * nobody else may take it before that one has had it. Without this, two threads that do little but
 * hold the lock may keep a third out for milliseconds.
 */
public final class Lock {
    /**
     * How long a waiter lets itself be overtaken: longer than a SEAMCALL under a spinlock takes.
     */
    private static final Duration PATIENCE = Duration.ofNanos(20_000);

    private static final int STATE = 16;

    /** Whether somebody has waited for too long; beside STATE, so that a look at it is free. */
    private static final int OVERDUE = 17;

    private final LockRank rank;
    private final int[] words = new int[32];

    /** Null until somebody has waited: most locks see no contention in their life. */
    private final AtomicReference<@Nullable WaitTimes> waits = new AtomicReference<>();

    public Lock(LockRank rank) {
        this.rank = rank;
    }

    /** Takes the lock; waits until it is free. */
    public void lock() {
        assert rank.isSpinning() || LockRank.Held.maySleep();
        assert LockRank.Held.push(rank);
        Installed.WIRING.step(Wiring.Step.LOCK, this, 0);
        if (!isOpen() || !Cells.casInStep(words, STATE, 0, 1)) {
            awaitTaken();
        }
    }

    private void awaitTaken() {
        long start = Installed.WIRING.nanoTime();
        if (!takenWithin(start, PATIENCE.toNanos())) {
            takeNext();
        }
        WaitTimes known = waits.get();
        if (known == null) {
            waits.compareAndSet(null, new WaitTimes());
            known = waits.get();
        }
        if (known != null) {
            known.waited(Installed.WIRING.nanoTime() - start);
        }
    }

    private boolean takenWithin(long start, long nanos) {
        do {
            long left = nanos - (Installed.WIRING.nanoTime() - start);
            if (left <= 0 || !Installed.WIRING.await(this::isOpen, left)) {
                return false;
            }
        } while (!Cells.casInStep(words, STATE, 0, 1));
        return true;
    }

    /** Overdue: nobody new takes the lock, so it is ours as soon as its holder lets go. */
    private void takeNext() {
        while (!Cells.casInStep(words, OVERDUE, 0, 1)) {
            Installed.WIRING.await(this::isNobodyOverdue);
        }
        do {
            Installed.WIRING.await(this::isFree);
        } while (!Cells.casInStep(words, STATE, 0, 1));
        Cells.releaseInStep(words, OVERDUE, 0);
        Installed.WIRING.signal();
    }

    /** Takes the lock if it is free. */
    public boolean tryLock() {
        Installed.WIRING.step(Wiring.Step.TRY_LOCK, this, 0);
        if (!Cells.casInStep(words, STATE, 0, 1)) {
            return false;
        }
        assert LockRank.Held.push(rank);
        return true;
    }

    /** Lets go. */
    public void unlock() {
        assert LockRank.Held.pop(rank);
        Installed.WIRING.step(Wiring.Step.UNLOCK, this, 0);
        Cells.releaseInStep(words, STATE, 0);
        Installed.WIRING.signal();
    }

    /** How long threads waited here; for any thread. */
    public WaitTimes.Snapshot waits() {
        WaitTimes known = waits.get();
        return known == null ? WaitTimes.NONE : known.snapshot();
    }

    /** Whether nobody holds the lock now. */
    boolean isFree() {
        return Cells.acquireInStep(words, STATE) == 0;
    }

    /** Whether nobody has waited for too long. */
    boolean isNobodyOverdue() {
        return Cells.acquireInStep(words, OVERDUE) == 0;
    }

    /** Whether the lock is free for whoever comes. */
    private boolean isOpen() {
        return isNobodyOverdue() && isFree();
    }

    /** Place in the lock order. */
    public LockRank rank() {
        return rank;
    }
}
