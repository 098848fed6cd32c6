// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.lock;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.machine.sched.Cells;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/**
 * Real threads on two locks whose readers stand in slots. Each holder writes down beside the lock
 * that it is inside, and looks who else is.
 */
class ReaderSlotStressTest {
    private static final int CPUS = 4;
    private static final int ROUNDS = 60_000;
    private static final int FIRST = 16;
    private static final int SECOND = 32;

    private final long[] locks = new long[64];
    private final int[] readers = new int[64];
    private final int[] owners = new int[64];
    private final int[] taken = new int[64];

    @Test
    void slottedLocks_manyThreads_ownersAreAloneAndEveryLockComesBack()
            throws InterruptedException {
        locks[FIRST] = SharexLock.SLOTTED;
        locks[SECOND] = SharexLock.SLOTTED;
        HeldLocks[] lists = HeldLocks.ofCpus(CPUS);
        List<Throwable> failures = Collections.synchronizedList(new ArrayList<>());
        List<Thread> threads = new ArrayList<>();
        for (int cpu = 0; cpu < CPUS; cpu++) {
            HeldLocks mine = lists[cpu];
            LockPath path = mine.newPath();
            SplittableRandom random = new SplittableRandom(cpu);
            threads.add(
                    Thread.ofPlatform()
                            .uncaughtExceptionHandler((_, e) -> failures.add(e))
                            .start(() -> work(mine, path, random)));
        }
        for (Thread thread : threads) {
            thread.join();
        }
        assertThat(failures).isEmpty();
        // Each way in was taken, so the test has seen what it is for.
        assertThat(taken[FIRST]).as("shared").isPositive();
        assertThat(taken[FIRST + 1]).as("shared at once").isPositive();
        assertThat(taken[FIRST + 2]).as("exclusive").isPositive();
        assertThat(taken[FIRST + 4]).as("a path again").isPositive();
        assertThat(taken[FIRST + 3]).as("upgraded").isPositive();
        // And nobody holds anything any more.
        assertThat(lists[0].exclusive(locks, FIRST)).isTrue();
        assertThat(lists[0].exclusive(locks, SECOND)).isTrue();
    }

    private void work(HeldLocks mine, LockPath path, SplittableRandom random) {
        for (int i = 0; i < ROUNDS; i++) {
            int index = random.nextBoolean() ? FIRST : SECOND;
            // Owners in one round of eight only, so that paths are taken again between claims.
            mine.begin(random.nextBoolean());
            switch (random.nextInt(16)) {
                case 0, 1, 2 -> share(mine, index);
                case 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13 -> shareBothAtOnce(mine, path);
                case 14 -> own(mine, index);
                default -> upgrade(mine, index);
            }
            mine.releaseAll();
        }
    }

    private void share(HeldLocks mine, int index) {
        if (mine.share(locks, index)) {
            Cells.getAndAdd(taken, FIRST, 1);
            asReader(index);
        }
    }

    private void shareBothAtOnce(HeldLocks mine, LockPath path) {
        int mark = mine.mark();
        if (path.leadsTo(locks) && mine.retake(path)) {
            Cells.getAndAdd(taken, FIRST + 4, 1);
            asReader(FIRST);
            asReader(SECOND);
            return;
        }
        long claims = mine.claims();
        mine.stage(locks, FIRST);
        mine.stage(locks, SECOND);
        if (mine.commit(mark)) {
            Cells.getAndAdd(taken, FIRST + 1, 1);
            mine.remember(path, mark, locks, claims);
            asReader(FIRST);
            asReader(SECOND);
        }
    }

    private void own(HeldLocks mine, int index) {
        if (mine.exclusive(locks, index)) {
            Cells.getAndAdd(taken, FIRST + 2, 1);
            asOwner(index);
        }
    }

    private void upgrade(HeldLocks mine, int index) {
        if (mine.share(locks, index)) {
            asReader(index);
            if (mine.upgradeLast()) {
                Cells.getAndAdd(taken, FIRST + 3, 1);
                asOwner(index);
            } else {
                asReader(index);
            }
        }
    }

    private void asReader(int index) {
        Cells.getAndAdd(readers, index, 1);
        assertThat(Cells.volatileRead(owners, index)).as("owners beside a reader").isZero();
        Cells.getAndAdd(readers, index, -1);
    }

    private void asOwner(int index) {
        assertThat(Cells.getAndAdd(owners, index, 1)).as("owners beside an owner").isZero();
        assertThat(Cells.volatileRead(readers, index)).as("readers beside an owner").isZero();
        Cells.getAndAdd(owners, index, -1);
    }
}
