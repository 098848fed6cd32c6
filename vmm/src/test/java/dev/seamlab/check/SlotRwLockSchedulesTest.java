// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.check;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.machine.sched.Act;
import dev.seamlab.machine.sched.LockRank;
import dev.seamlab.machine.sched.SlotRwLock;
import dev.seamlab.machine.sched.SteppedRun;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The reader/writer lock under schedulers that wish its users ill. */
@Tag("stepped")
class SlotRwLockSchedulesTest {
    private static final int ROUNDS = 100;

    private final SlotRwLock lock = new SlotRwLock(LockRank.MMU, 2);
    private int writing;
    private int written;

    private void write() {
        lock.writeLock();
        writing++;
        assertThat(writing).isOne();
        written++;
        writing--;
        lock.writeUnlock();
    }

    /**
     * Whenever the reader is about to look whether somebody writes, somebody does; otherwise it
     * moves whenever it can, so it gets more turns than anybody else. A writer that was ahead of it
     * already may come first, and then the lock is its own.
     */
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 4})
    void reader_besideWritersThatDoLittleElse_isOvertakenByFew(int writers) {
        int[] writtenBefore = {-1};
        List<String> names = new ArrayList<>(List.of("reader"));
        List<Runnable> bodies = new ArrayList<>();
        bodies.add(() -> {
            lock.readLock(1);
            assertThat(writing).isZero();
            writtenBefore[0] = written;
            lock.readUnlock(1);
        });
        for (int w = 0; w < writers; w++) {
            names.add("writer " + w);
            bodies.add(() -> {
                for (int i = 0; i < ROUNDS; i++) {
                    write();
                }
            });
        }
        SteppedRun run = new SteppedRun(names, bodies, EnumSet.noneOf(LockRank.class));
        SteppedRun.End end = run.run(SlotRwLockSchedulesTest::spiteful);
        assertThat(end).isEqualTo(SteppedRun.End.DONE);
        for (int t = 0; t < run.size(); t++) {
            assertThat(run.thread(t).failure()).isNull();
        }
        assertThat(written).isEqualTo(writers * ROUNDS);
        assertThat(writtenBefore[0]).isBetween(2, 2 + writers);
    }

    private static int spiteful(SteppedRun run) {
        int mask = run.enabled();
        if (mask == 0) {
            return SteppedRun.STOP;
        }
        // The last word that the reader touches before it is in is the writers' own.
        boolean looks = run.thread(0).act() == Act.READ;
        int others = mask & ~1;
        int start = Math.max(run.last(), 0);
        if ((mask & 1) != 0 && !(looks && others != 0 && isFree(run))) {
            return 0;
        }
        for (int i = 0; i < run.size(); i++) {
            int t = (start + i) % run.size();
            if ((others >>> t & 1) != 0) {
                return t;
            }
        }
        return 0;
    }

    /** Whether nobody writes, of the word that the reader looks at. */
    private static boolean isFree(SteppedRun run) {
        return ((int[]) run.thread(0).where())[run.thread(0).at()] == 0;
    }

    /** One reader and two writers; exclusion is asserted, an outcome is the order. */
    private static final class Few extends MiniWorld {
        private SlotRwLock lock = new SlotRwLock(LockRank.MMU, 1);
        private final StringBuilder order = new StringBuilder();
        private int readers;
        private int writers;

        Few() {
            super(3);
        }

        @Override
        void start() {
            lock = new SlotRwLock(LockRank.MMU, 1);
            order.setLength(0);
            readers = 0;
            writers = 0;
        }

        @Override
        public void body(int thread) {
            if (thread == 0) {
                lock.readLock(1);
                readers++;
                assertThat(writers).isZero();
                order.append('r');
                readers--;
                lock.readUnlock(1);
            } else {
                lock.writeLock();
                writers++;
                assertThat(writers).isOne();
                assertThat(readers).isZero();
                order.append(thread);
                writers--;
                lock.writeUnlock();
            }
        }

        @Override
        String outcome() {
            return order.toString();
        }
    }

    @Test
    void oneReaderTwoWriters_everySchedule_endsInEveryOrder() {
        Few world = new Few();
        Explorer.Tally tally = world.explore(new Dpor(3));
        assertThat(tally.hits).isEmpty();
        assertThat(tally.complete).isTrue();
        assertThat(world.outcomes)
                .containsExactlyInAnyOrder("r12", "r21", "1r2", "2r1", "12r", "21r");
    }
}
