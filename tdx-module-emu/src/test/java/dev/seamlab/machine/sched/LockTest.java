// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.machine.sched;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

class LockTest {
    private static final int THREADS = 4;
    private static final int ROUNDS = 20_000;

    private long plain;

    private static void inParallel(int threads, java.util.function.IntConsumer body)
            throws InterruptedException {
        List<Throwable> failures = java.util.Collections.synchronizedList(new ArrayList<>());
        List<Thread> started = new ArrayList<>();
        for (int t = 0; t < threads; t++) {
            int index = t;
            Thread thread =
                    Thread.ofPlatform()
                            .uncaughtExceptionHandler((_, e) -> failures.add(e))
                            .start(() -> body.accept(index));
            started.add(thread);
        }
        for (Thread thread : started) {
            thread.join();
        }
        assertThat(failures).isEmpty();
    }

    @Test
    void lock_manyThreads_noUpdateIsLost() throws InterruptedException {
        Lock lock = new Lock(LockRank.PAMT);
        inParallel(
                THREADS,
                _ -> {
                    for (int i = 0; i < ROUNDS; i++) {
                        lock.lock();
                        plain++;
                        lock.unlock();
                    }
                });
        assertThat(plain).isEqualTo((long) THREADS * ROUNDS);
    }

    @Test
    @Timeout(60)
    void lock_whoeverHasWaitedForLong_isNotOvertakenByTheHolder() throws InterruptedException {
        Lock lock = new Lock(LockRank.PAMT);
        lock.lock();
        Thread waiter =
                Waits.start(
                        "waiter",
                        () -> {
                            lock.lock();
                            plain = 1;
                            lock.unlock();
                        });
        Waits.spinUntil(() -> !lock.isNobodyOverdue());
        lock.unlock();
        lock.lock();
        assertThat(plain).as("the waiter had its turn").isEqualTo(1);
        lock.unlock();
        waiter.join();
        assertThat(lock.isNobodyOverdue()).isTrue();
        assertThat(lock.waits().waits()).isBetween(1L, 2L);
    }

    @Test
    void tryLock_whileHeld_fails() {
        Lock lock = new Lock(LockRank.PAMT);
        assertThat(lock.tryLock()).isTrue();
        assertThat(lock.tryLock()).isFalse();
        lock.unlock();
        assertThat(lock.tryLock()).isTrue();
        lock.unlock();
    }

    @Test
    void slotRwLock_writersAndReaders_neverOverlap() throws InterruptedException {
        SlotRwLock lock = new SlotRwLock(LockRank.MMU, THREADS);
        // Two words that only a writer changes, always together: a reader that sees them differ has
        // slipped past a writer.
        long[] pair = new long[64];
        inParallel(
                THREADS,
                index -> {
                    int slot = index == 0 ? SlotRwLock.SHARED_SLOT : index;
                    for (int i = 0; i < ROUNDS; i++) {
                        if (i % 16 == index) {
                            lock.writeLock();
                            pair[0]++;
                            pair[63]++;
                            lock.writeUnlock();
                        } else {
                            lock.readLock(slot);
                            long first = pair[0];
                            long second = pair[63];
                            lock.readUnlock(slot);
                            assertThat(first).isEqualTo(second);
                        }
                    }
                });
        assertThat(pair[0]).isEqualTo((long) THREADS * (ROUNDS / 16));
    }

    @Test
    void slotRwLock_readers_shareTheLock() throws InterruptedException {
        SlotRwLock lock = new SlotRwLock(LockRank.MMU, 2);
        int[] inside = new int[32];
        inParallel(
                2,
                index -> {
                    lock.readLock(index + 1);
                    Cells.getAndAdd(inside, 16, 1);
                    // Returns only if the other reader gets in as well.
                    Waits.spinUntil(() -> Cells.acquire(inside, 16) == 2);
                    lock.readUnlock(index + 1);
                });
        assertThat(inside[16]).isEqualTo(2);
    }

    @Test
    void waitQueue_wakeAll_releasesEveryWaiter() throws InterruptedException {
        WaitQueue queue = new WaitQueue();
        int[] words = new int[48];
        inParallel(
                THREADS,
                index -> {
                    if (index == 0) {
                        Waits.until(() -> Cells.acquire(words, 32) == THREADS - 1);
                        Cells.release(words, 16, 1);
                        queue.wakeAll();
                    } else {
                        Cells.getAndAdd(words, 32, 1);
                        queue.await(() -> Cells.acquire(words, 16) == 1);
                    }
                });
        assertThat(words[16]).isEqualTo(1);
    }

    @Test
    void await_withATimeLimit_returnsFalseWhenTheConditionStaysFalse() {
        assertThat(Waits.until(() -> false, java.time.Duration.ofMillis(2))).isFalse();
        assertThat(new WaitQueue().await(() -> false, 1_000_000)).isFalse();
    }
}
