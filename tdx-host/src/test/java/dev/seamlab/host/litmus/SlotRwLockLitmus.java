// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.litmus;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import dev.seamlab.machine.sched.LockRank;
import dev.seamlab.machine.sched.SlotRwLock;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;
import org.openjdk.jcstress.infra.results.I_Result;

/** mmu_lock guards plain fields: readers see all of what a writer did, or nothing. */
public class SlotRwLockLitmus {
    private SlotRwLockLitmus() {}

    /** What the lock guards; writers write both. */
    abstract static class Guarded {
        final SlotRwLock lock = new SlotRwLock(LockRank.MMU, 2);
        int a;
        int b;

        int read(int slot) {
            lock.readLock(slot);
            int seen = a + 2 * b;
            lock.readUnlock(slot);
            return seen;
        }

        void write() {
            lock.writeLock();
            a = 1;
            b = 1;
            lock.writeUnlock();
        }
    }

    /** The reader stores its slot and reads the writer's word; the writer does it crosswise. */
    @JCStressTest
    @Outcome(id = "0", expect = ACCEPTABLE, desc = "reader first")
    @Outcome(id = "3", expect = ACCEPTABLE, desc = "writer first")
    @Outcome(expect = FORBIDDEN, desc = "reader and writer inside together")
    @State
    public static class ReaderAgainstWriter extends Guarded {
        @Actor
        public void reader(I_Result r) {
            r.r1 = read(1);
        }

        @Actor
        public void writer() {
            write();
        }
    }

    /** Those without a slot of their own count themselves in a common one. */
    @JCStressTest
    @Outcome(id = "0", expect = ACCEPTABLE, desc = "reader first")
    @Outcome(id = "3", expect = ACCEPTABLE, desc = "writer first")
    @Outcome(expect = FORBIDDEN, desc = "reader and writer inside together")
    @State
    public static class SharedSlotAgainstWriter extends Guarded {
        @Actor
        public void reader(I_Result r) {
            r.r1 = read(SlotRwLock.SHARED_SLOT);
        }

        @Actor
        public void writer() {
            write();
        }
    }

    /** Of two writers, the later sees what the earlier wrote. */
    @JCStressTest
    @Outcome(
            id = {"1, 2", "2, 1"},
            expect = ACCEPTABLE,
            desc = "one after the other")
    @Outcome(expect = FORBIDDEN, desc = "both inside together")
    @State
    public static class WriterAgainstWriter extends Guarded {
        private int increment() {
            lock.writeLock();
            int now = ++a;
            lock.writeUnlock();
            return now;
        }

        @Actor
        public void first(II_Result r) {
            r.r1 = increment();
        }

        @Actor
        public void second(II_Result r) {
            r.r2 = increment();
        }
    }
}
