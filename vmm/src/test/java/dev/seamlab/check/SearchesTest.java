// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.check;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.seamlab.host.mem.PageAllocator;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.machine.PhysicalMemory;
import dev.seamlab.machine.profile.AddressRange;
import dev.seamlab.machine.sched.Cells;
import dev.seamlab.machine.sched.Lock;
import dev.seamlab.machine.sched.LockRank;
import dev.seamlab.machine.sched.WaitQueue;
import dev.seamlab.machine.sched.Waits;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeSet;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The searches against outcomes that can be counted, or found by brute force. */
@Tag("stepped")
class SearchesTest {
    /** Threads that take one lock so often; an outcome is the order. */
    private static class OneLock extends MiniWorld {
        private final int times;
        private final StringBuilder order = new StringBuilder();
        private Lock lock = new Lock(LockRank.PAMT);

        OneLock(int threads, int times) {
            super(threads);
            this.times = times;
        }

        @Override
        void start() {
            lock = new Lock(LockRank.PAMT);
            order.setLength(0);
        }

        @Override
        public void body(int thread) {
            for (int i = 0; i < times; i++) {
                lock.lock();
                order.append(thread);
                lock.unlock();
            }
        }

        @Override
        String outcome() {
            return order.toString();
        }
    }

    @ParameterizedTest
    @CsvSource({"2,1,2", "2,2,6", "3,1,6", "3,2,90", "4,1,24", "2,4,70"})
    void exhaustive_oneLock_isOneSchedulePerOrder(int threads, int times, int orders) {
        OneLock world = new OneLock(threads, times);
        Explorer.Tally tally = world.explore(new Dpor(threads));
        assertThat(world.outcomes).hasSize(orders);
        assertThat(tally.schedules).isEqualTo(orders);
        assertThat(tally.complete).isTrue();
    }

    /**
     * Random little programs on three words and a lock; an outcome is all that was seen. Some wait
     * for a word, and some of those for ever.
     */
    private static final class RandomWorld extends MiniWorld {
        private final int[][] program;
        private final boolean keeps;
        private boolean isNew = true;
        private int[] words = new int[3];
        private Lock lock = new Lock(LockRank.PAMT);
        private final StringBuilder[] seen;

        /**
         * @param keeps whether schedules work on the same words, as long as nothing is broken
         */
        RandomWorld(long seed, boolean keeps) {
            super(2 + (int) (seed % 2));
            this.keeps = keeps;
            Random random = new Random(seed);
            program = new int[threads().size()][];
            seen = new StringBuilder[program.length];
            for (int t = 0; t < program.length; t++) {
                program[t] = random.ints(program.length == 2 ? 4 : 2, 0, 21).toArray();
                seen[t] = new StringBuilder();
            }
        }

        @Override
        void start() {
            if (isNew || !keeps) {
                words = new int[3];
                lock = new Lock(LockRank.PAMT);
                legend.clear();
                legend.learn(
                        "word",
                        () -> {
                            for (int i = 0; i < words.length; i++) {
                                Cells.acquire(words, i);
                            }
                        });
            }
            Arrays.fill(words, 0);
            Arrays.stream(seen).forEach(one -> one.setLength(0));
        }

        @Override
        boolean keepsItsWords() {
            boolean kept = keeps && !isNew;
            isNew = false;
            return kept;
        }

        @Override
        public void spoil() {
            isNew = true;
        }

        @Override
        public void body(int thread) {
            for (int code : program[thread]) {
                int at = code % 3;
                StringBuilder log = seen[thread];
                switch (code / 3) {
                    case 0 -> log.append(Cells.acquire(words, at));
                    case 1 -> Cells.release(words, at, thread + 1);
                    case 2 -> log.append(Cells.cas(words, at, 0, thread + 4));
                    case 3 -> log.append(Cells.incNotZero(words, at));
                    case 4 -> {
                        lock.lock();
                        int value = Cells.acquire(words, at);
                        Cells.release(words, at, value + 1);
                        lock.unlock();
                    }
                    case 5 -> {
                        if (lock.tryLock()) {
                            Cells.getAndAdd(words, at, 2);
                            lock.unlock();
                        } else {
                            log.append('-');
                        }
                    }
                    default -> Waits.spinUntil(() -> Cells.acquire(words, at) != 0);
                }
            }
        }

        @Override
        String outcome() {
            return Arrays.toString(seen) + Arrays.toString(words);
        }
    }

    @Test
    void exhaustive_randomPrograms_meetsEveryOutcomeOfBruteForce() {
        long reduced = 0;
        long all = 0;
        long stuck = 0;
        for (long seed = 0; seed < 1000; seed++) {
            RandomWorld world = new RandomWorld(seed, false);
            Explorer.Tally brute = world.explore(new FewestSwitches(Integer.MAX_VALUE, null));
            assertThat(brute.complete).as("seed " + seed).isTrue();
            TreeSet<String> expected = new TreeSet<>(world.outcomes);
            Explorer.Tally tally = world.explore(new Dpor(world.threads().size()));
            assertThat(tally.complete).as("seed " + seed).isTrue();
            assertThat(world.outcomes).as("seed " + seed).isEqualTo(expected);
            assertThat(tally.hits.keySet()).as("seed " + seed).isEqualTo(brute.hits.keySet());

            // Beginnings that are not searched again change nothing but the time.
            RandomWorld kept = new RandomWorld(seed, true);
            Explorer.Tally quick = kept.explore(new Dpor(kept.threads().size()));
            assertThat(quick.complete).as("seed " + seed).isTrue();
            assertThat(kept.outcomes).as("seed " + seed).isEqualTo(expected);
            assertThat(quick.hits.keySet()).as("seed " + seed).isEqualTo(brute.hits.keySet());
            assertThat(quick.schedules - quick.redundant)
                    .as("seed " + seed)
                    .isEqualTo(tally.schedules - tally.redundant);
            reduced += tally.schedules;
            all += brute.schedules;
            stuck += brute.hits.containsKey(Rule.DEADLOCK) ? 1 : 0;
        }
        assertThat(reduced).isLessThan(all / 4);
        assertThat(stuck).as("programs that can get stuck").isBetween(50L, 950L);
    }

    @Test
    void pct_sameSeed_sameSchedules() {
        assertThat(random(7)).isEqualTo(random(7)).isNotEqualTo(random(8));
    }

    private static java.util.List<String> random(long seed) {
        java.util.List<String> orders = new java.util.ArrayList<>();
        OneLock world = new OneLock(3, 2);
        Search pct = new Pct(3, seed, 3);
        for (int i = 0; i < 20; i++) {
            new Explorer(world)
                    .explore(
                            pct,
                            new Explorer.Limits(System.nanoTime() + 1_000_000_000L, 1, false),
                            count -> {});
            orders.add(world.outcome());
        }
        return orders;
    }

    /** A sleeper, and a waker that may speak too early. */
    private static final class Sleep extends MiniWorld {
        private final boolean wakesAfterwards;
        private WaitQueue queue = new WaitQueue();
        private int[] words = new int[1];

        Sleep(boolean wakesAfterwards) {
            super(2);
            this.wakesAfterwards = wakesAfterwards;
        }

        @Override
        void start() {
            queue = new WaitQueue();
            words = new int[1];
        }

        @Override
        public void body(int thread) {
            if (thread == 0) {
                queue.await(() -> Cells.acquire(words, 0) != 0);
            } else if (wakesAfterwards) {
                Cells.release(words, 0, 1);
                queue.wakeAll();
            } else {
                queue.wakeAll();
                Cells.release(words, 0, 1);
            }
        }

        @Override
        String outcome() {
            return "awake";
        }
    }

    @Test
    void wakeUpAfterTheChange_isNeverLost() {
        assertThat(new Sleep(true).explore(new Dpor(2)).hits).isEmpty();
    }

    @Test
    void wakeUpBeforeTheChange_isLostInSomeSchedule() {
        assertThat(new Sleep(false).explore(new Dpor(2)).hits).containsKey(Rule.LOST_WAKE_UP);
    }

    /** Two threads that break a rule of locks. */
    private static final class Locks extends MiniWorld {
        private final LockRank first;
        private final LockRank second;
        private Lock a = new Lock(LockRank.VCPU);
        private Lock b = new Lock(LockRank.VCPU);

        Locks(LockRank first, LockRank second) {
            super(2);
            this.first = first;
            this.second = second;
        }

        @Override
        void start() {
            a = new Lock(first);
            b = new Lock(second);
        }

        @Override
        public void body(int thread) {
            Lock outer = thread == 0 ? a : b;
            Lock inner = thread == 0 ? b : a;
            outer.lock();
            inner.lock();
            inner.unlock();
            outer.unlock();
        }

        @Override
        String outcome() {
            return "through";
        }
    }

    @Test
    void locksOfOneRankInOppositeOrder_deadlock() {
        assertThat(new Locks(LockRank.VCPU, LockRank.VCPU).explore(new Dpor(2)).hits)
                .containsKey(Rule.DEADLOCK);
    }

    @Test
    void locksOfTwoRanksInTheWrongOrder_areFoundWithoutAnyDeadlock() {
        assertThat(new Locks(LockRank.MMU, LockRank.PAMT).explore(new Dpor(2)).hits)
                .containsKey(Rule.LOCK_ORDER);
    }

    /** What a single thread does; it breaks something. */
    private static Map<Rule, Explorer.Hit> broken(Runnable body) {
        MiniWorld world =
                new MiniWorld(1) {
                    @Override
                    void start() {}

                    @Override
                    String outcome() {
                        return "";
                    }

                    @Override
                    public void body(int thread) {
                        body.run();
                    }
                };
        return world.explore(new Dpor(1)).hits;
    }

    @Test
    void sleepingUnderASpinningLock_isFound() {
        Lock lock = new Lock(LockRank.PAMT);
        assertThat(
                        broken(() -> {
                            lock.lock();
                            Waits.until(() -> true);
                            lock.unlock();
                        }))
                .containsOnlyKeys(Rule.SLEEPS);
    }

    @Test
    void allocatingWithReclaimUnderASpinningLock_isFound() {
        Lock lock = new Lock(LockRank.MMU);
        PageAllocator pages =
                new PageAllocator(
                        new PhysicalMemory(),
                        List.of(List.of(new AddressRange(1L << 20, 4L << 20))));
        assertThat(
                        broken(() -> {
                            lock.lock();
                            pages.allocate(0, PageUse.HOST);
                            lock.unlock();
                        }))
                .containsOnlyKeys(Rule.SLEEPS);
    }

    @Test
    void lockThatIsNotGivenBack_isFound() {
        Lock lock = new Lock(LockRank.PAMT);
        assertThat(broken(lock::lock)).containsOnlyKeys(Rule.LOCK_ORDER);
    }

    @Test
    void unlockOfALockThatIsNotHeld_isFound() {
        Lock lock = new Lock(LockRank.PAMT);
        assertThat(broken(lock::unlock)).containsOnlyKeys(Rule.LOCK_ORDER);
    }

    @Test
    void errorOfTheCodeUnderTest_isFound() {
        assertThat(
                        broken(() -> {
                            throw new IllegalStateException("odd");
                        }))
                .containsOnlyKeys(Rule.RAISED);
    }

    @Test
    void threadThatGoesRoundInCircles_isFound() {
        int[] word = new int[1];
        assertThat(
                        broken(() -> {
                            while (Cells.acquire(word, 0) == 0) {
                                // Nobody ever writes it.
                            }
                        }))
                .containsOnlyKeys(Rule.RUNAWAY);
    }

    @Test
    void auditOfAWorldAtRest_isAsked() {
        OneLock world =
                new OneLock(1, 1) {
                    @Override
                    public void audit(Findings into) {
                        into.add(Rule.AUDIT, "a page is lost");
                    }
                };
        assertThat(new Explorer(world).audit())
                .singleElement()
                .extracting(Finding::rule)
                .isEqualTo(Rule.AUDIT);
    }

    @Test
    void schedule_asText_comesBack() {
        Schedule schedule = Schedule.parse("0x3.1x1.0x2");
        assertThat(schedule).hasToString("0x3.1x1.0x2");
        assertThat(schedule.switches()).isEqualTo(2);
        assertThatThrownBy(() -> Schedule.parse("0x")).isInstanceOf(IllegalArgumentException.class);
    }
}
