// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.machine.sched;

import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * A mutual-exclusion lock with a place in the lock order. Not reentrant. Whether its holder may
 * sleep is a property of the rank: a kernel spinlock and a kernel mutex differ in what may happen
 * under them, not in what they exclude.
 */
public final class Lock {
    private static final int STATE = 16;

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
        if (!Cells.casInStep(words, STATE, 0, 1)) {
            awaitTaken();
        }
    }

    private void awaitTaken() {
        long start = Installed.WIRING.nanoTime();
        do {
            Installed.WIRING.await(this::isFree);
        } while (!Cells.casInStep(words, STATE, 0, 1));
        WaitTimes known = waits.get();
        if (known == null) {
            waits.compareAndSet(null, new WaitTimes());
            known = waits.get();
        }
        if (known != null) {
            known.waited(Installed.WIRING.nanoTime() - start);
        }
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

    /** Place in the lock order. */
    public LockRank rank() {
        return rank;
    }
}
