// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.machine.sched;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.machine.sched.LockWaits.Mode;
import java.util.concurrent.CountDownLatch;
import java.util.stream.LongStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.LongRange;
import org.junit.jupiter.api.Test;

class LockWaitsTest {
    @Property
    void everyTime_fallsIntoTheFirstBucketThatHoldsIt(@ForAll @LongRange(min = 0) long nanos) {
        int bucket = TimeBuckets.of(nanos);
        assertThat(bucket).isBetween(0, TimeBuckets.COUNT - 1);
        assertThat(nanos).isLessThanOrEqualTo(TimeBuckets.end(bucket));
        if (bucket > 0) {
            assertThat(nanos).isGreaterThan(TimeBuckets.end(bucket - 1));
        }
    }

    @Test
    void bounds_ofBuckets_areInTheBucketThatTheyEnd() {
        for (int bucket = 0; bucket < TimeBuckets.COUNT - 1; bucket++) {
            assertThat(TimeBuckets.of(TimeBuckets.end(bucket))).isEqualTo(bucket);
            assertThat(TimeBuckets.of(TimeBuckets.end(bucket) + 1)).isEqualTo(bucket + 1);
        }
    }

    @Test
    void aFreeLock_takenAndGivenBack_isNoWait() {
        long before = waits(LockRank.SLOTS, Mode.EXCLUSIVE);
        Lock lock = new Lock(LockRank.SLOTS);
        lock.lock();
        lock.unlock();
        assertThat(waits(LockRank.SLOTS, Mode.EXCLUSIVE)).isEqualTo(before);
    }

    @Test
    void aLockThatIsHeld_isWaitedFor_andCountedUnderItsRankAndMode() throws Exception {
        long alone = waits(LockRank.SPLIT_POOL, Mode.EXCLUSIVE);
        Lock lock = new Lock(LockRank.SPLIT_POOL);
        lock.lock();
        Thread other = waiting(lock::lock, lock::unlock);
        awaitBlocked(other);
        lock.unlock();
        other.join();
        assertThat(waits(LockRank.SPLIT_POOL, Mode.EXCLUSIVE)).isEqualTo(alone + 1);
        assertThat(lock.waits().waits()).isEqualTo(1);
    }

    @Test
    void readersThatWaitForAWriter_areCountedAsSharing() throws Exception {
        long shared = waits(LockRank.MMU, Mode.SHARED);
        SlotRwLock lock = new SlotRwLock(LockRank.MMU, 1);
        lock.writeLock();
        Thread reader = waiting(() -> lock.readLock(1), () -> lock.readUnlock(1));
        awaitBlocked(reader);
        lock.writeUnlock();
        reader.join();
        assertThat(waits(LockRank.MMU, Mode.SHARED)).isEqualTo(shared + 1);
        WaitTimes.Snapshot all = LockWaits.of(LockRank.MMU, Mode.SHARED);
        assertThat(LongStream.of(all.buckets()).sum()).isEqualTo(all.waits());
        assertThat(all.totalNanos()).isPositive();
    }

    private static long waits(LockRank rank, Mode mode) {
        return LockWaits.of(rank, mode).waits();
    }

    private static Thread waiting(Runnable take, Runnable give) throws InterruptedException {
        CountDownLatch begun = new CountDownLatch(1);
        Thread thread =
                Thread.ofPlatform()
                        .start(() -> {
                            begun.countDown();
                            take.run();
                            give.run();
                        });
        begun.await();
        return thread;
    }

    /**
     * Until a thread has found the lock held: it has gone to sleep by then, if only for a while.
     */
    private static void awaitBlocked(Thread thread) {
        while (thread.getState() != Thread.State.TIMED_WAITING
                && thread.getState() != Thread.State.WAITING) {
            Thread.onSpinWait();
        }
    }
}
