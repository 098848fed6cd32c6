// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.litmus;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import dev.seamlab.host.pamt.RangeRefcounts;
import dev.seamlab.machine.sched.Lock;
import dev.seamlab.machine.sched.LockRank;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.III_Result;
import org.openjdk.jcstress.infra.results.II_Result;

/** The counters, and the dance of counter and lock: a plain field stands for the page pair. */
public class RefcountLitmus {
    private static final long PFN = 512;
    private static final long NEIGHBOUR = 1024;

    private RefcountLitmus() {}

    /** Counters whose modelled memory costs nothing. */
    private static final class Counters extends RangeRefcounts {
        Counters() {
            super(1L << 18);
        }

        @Override
        protected boolean isPopulated(long pfn) {
            return true;
        }

        @Override
        public long bytes() {
            return 0;
        }

        @Override
        public void release() {
            // Nothing was taken.
        }
    }

    /** The words of a GiB appear at the first use; two first users must get the same. */
    @JCStressTest
    @Outcome(id = "2, 1", expect = ACCEPTABLE, desc = "all counted")
    @Outcome(expect = FORBIDDEN, desc = "a count was lost with the words of a loser")
    @State
    public static class FirstUseAgainstFirstUse {
        private final RangeRefcounts counts = new Counters();

        @Actor
        public void one() {
            counts.increment(PFN);
        }

        @Actor
        public void other() {
            counts.increment(NEIGHBOUR);
            counts.increment(PFN);
        }

        @Arbiter
        public void after(II_Result r) {
            r.r1 = counts.read(PFN);
            r.r2 = counts.read(NEIGHBOUR);
        }
    }

    /** Version 6: the last put counts down under the lock, a get joins outside it or not at all. */
    @JCStressTest
    @Outcome(id = "1, 1, 1", expect = ACCEPTABLE, desc = "one of them kept or renewed the pair")
    @Outcome(expect = FORBIDDEN, desc = "got without a pair, or count and pair disagree")
    @State
    public static class LastPutAgainstGet {
        private final RangeRefcounts counts = new Counters();
        private final Lock lock = new Lock(LockRank.PAMT);
        private int pair = 1;

        public LastPutAgainstGet() {
            counts.set(PFN, 1);
        }

        @Actor
        public void put() {
            if (counts.decAboveOne(PFN)) {
                return;
            }
            lock.lock();
            if (counts.decrement(PFN) == 0) {
                pair--;
            }
            lock.unlock();
        }

        @Actor
        public void get(III_Result r) {
            if (!counts.incNotZero(PFN)) {
                lock.lock();
                if (counts.read(PFN) != 0) {
                    counts.increment(PFN);
                } else {
                    pair++;
                    counts.set(PFN, 1);
                }
                lock.unlock();
            }
            r.r1 = counts.read(PFN) > 0 ? 1 : 0; // I3
        }

        @Arbiter
        public void after(III_Result r) {
            r.r2 = counts.read(PFN);
            r.r3 = pair; // I1
        }
    }

    /** Who joins a range outside the lock sees the pair that was installed under it. */
    @JCStressTest
    @Outcome(id = "0, 0", expect = ACCEPTABLE, desc = "not counted yet")
    @Outcome(id = "1, 1", expect = ACCEPTABLE, desc = "counted and backed")
    @Outcome(expect = FORBIDDEN, desc = "a count is seen before its pair")
    @State
    public static class FirstGetAgainstSecond {
        private final RangeRefcounts counts = new Counters();
        private final Lock lock = new Lock(LockRank.PAMT);
        private int pair;

        @Actor
        public void first() {
            lock.lock();
            pair = 1;
            counts.set(PFN, 1);
            lock.unlock();
        }

        @Actor
        public void second(II_Result r) {
            if (counts.incNotZero(PFN)) {
                r.r1 = 1;
                r.r2 = pair;
            }
        }
    }

    /** A count of two: of two puts exactly one is the last. */
    @JCStressTest
    @Outcome(
            id = {"1, 0, 0", "0, 1, 0"},
            expect = ACCEPTABLE,
            desc = "one is the last")
    @Outcome(expect = FORBIDDEN, desc = "none or both")
    @State
    public static class PutAgainstPut {
        private final RangeRefcounts counts = new Counters();
        private final Lock lock = new Lock(LockRank.PAMT);

        public PutAgainstPut() {
            counts.set(PFN, 2);
        }

        private int put() {
            if (counts.decAboveOne(PFN)) {
                return 0;
            }
            lock.lock();
            int left = counts.decrement(PFN);
            lock.unlock();
            return left == 0 ? 1 : 0;
        }

        @Actor
        public void one(III_Result r) {
            r.r1 = put();
        }

        @Actor
        public void other(III_Result r) {
            r.r2 = put();
        }

        @Arbiter
        public void after(III_Result r) {
            r.r3 = counts.read(PFN);
        }
    }
}
