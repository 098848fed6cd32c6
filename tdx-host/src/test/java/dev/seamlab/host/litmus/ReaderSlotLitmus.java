// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.litmus;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import dev.seamlab.seam.lock.HeldLocks;
import dev.seamlab.seam.lock.LockPath;
import dev.seamlab.seam.lock.SharexLock;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.JCStressMeta;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/**
 * The module's slotted locks on two CPUs. A reader answers the sum of what it sees, {@code a + 2b},
 * an owner 1; who is told BUSY answers -1. The owner writes both fields, so 1 and 2 would be a
 * reader inside with it.
 *
 * <p>Each case shows its two actors (jcstress looks for them in the class itself), and its answers
 * or the case that has the same.
 */
public class ReaderSlotLitmus {
    private static final int BUSY = -1;
    private static final int FIRST = 16;
    private static final int SECOND = 32;

    private ReaderSlotLitmus() {}

    /** Two CPUs, two locks, and what the locks guard. */
    abstract static class TwoCpus {
        final long[] locks = new long[48];
        final HeldLocks one;
        final HeldLocks other;
        int a;
        int b;

        TwoCpus(long kind) {
            locks[FIRST] = kind;
            locks[SECOND] = kind;
            HeldLocks[] lists = HeldLocks.ofCpus(2);
            one = lists[0];
            other = lists[1];
        }

        int read(HeldLocks mine) {
            mine.begin(false);
            int seen = mine.share(locks, FIRST) ? a + 2 * b : BUSY;
            mine.releaseAll();
            return seen;
        }

        int own(HeldLocks mine) {
            mine.begin(false);
            int seen = BUSY;
            if (mine.exclusive(locks, FIRST)) {
                seen = write();
            }
            mine.releaseAll();
            return seen;
        }

        int readThenOwn(HeldLocks mine) {
            mine.begin(false);
            int seen = BUSY;
            if (mine.share(locks, FIRST) && mine.upgradeLast()) {
                seen = write();
            }
            mine.releaseAll();
            return seen;
        }

        private int write() {
            a = 1;
            b = 1;
            return 1;
        }
    }

    /** Reader in a slot, owner with a claim: never both, and one of them always gets in. */
    @JCStressTest
    @Outcome(
            id = {"0, 1", "3, 1"},
            expect = ACCEPTABLE,
            desc = "one after the other")
    @Outcome(id = "-1, 1", expect = ACCEPTABLE, desc = "the reader met the owner")
    @Outcome(id = "0, -1", expect = ACCEPTABLE, desc = "the owner met the reader")
    @Outcome(id = "-1, -1", expect = FORBIDDEN, desc = "a refusal for which nobody held the lock")
    @Outcome(expect = FORBIDDEN, desc = "reader and owner inside together")
    @State
    public static class ShareAgainstExclusive extends TwoCpus {
        public ShareAgainstExclusive() {
            super(SharexLock.SLOTTED);
        }

        @Actor
        public void reader(II_Result r) {
            r.r1 = read(one);
        }

        @Actor
        public void owner(II_Result r) {
            r.r2 = own(other);
        }
    }

    /** The same where readers are counted in the word. */
    @JCStressTest
    @JCStressMeta(ShareAgainstExclusive.class)
    @State
    public static class CountedShareAgainstExclusive extends TwoCpus {
        public CountedShareAgainstExclusive() {
            super(0);
        }

        @Actor
        public void reader(II_Result r) {
            r.r1 = read(one);
        }

        @Actor
        public void owner(II_Result r) {
            r.r2 = own(other);
        }
    }

    /** Two locks staged and committed with one fence. A refusal may come from a mere claim. */
    @JCStressTest
    @Outcome(
            id = {"0, 1", "3, 1"},
            expect = ACCEPTABLE,
            desc = "one after the other")
    @Outcome(
            id = {"-1, 1", "0, -1", "-1, -1"},
            expect = ACCEPTABLE,
            desc = "one or both met the other")
    @Outcome(expect = FORBIDDEN, desc = "reader and owner inside together")
    @State
    public static class CommitAgainstExclusive extends TwoCpus {
        public CommitAgainstExclusive() {
            super(SharexLock.SLOTTED);
        }

        @Actor
        public void reader(II_Result r) {
            one.begin(false);
            int mark = one.mark();
            one.stage(locks, SECOND);
            one.stage(locks, FIRST);
            r.r1 = one.commit(mark) ? a + 2 * b : BUSY;
            one.releaseAll();
        }

        @Actor
        public void owner(II_Result r) {
            r.r2 = own(other);
        }
    }

    /** A path taken again looks at one number instead of each lock. */
    @JCStressTest
    @Outcome(id = "0, 1", expect = ACCEPTABLE, desc = "reader first")
    @Outcome(
            id = {"-1, 1", "0, -1", "-1, -1"},
            expect = ACCEPTABLE,
            desc = "one or both met the other")
    @Outcome(
            id = "3, 1",
            expect = FORBIDDEN,
            desc = "taken again although somebody has owned the lock since")
    @Outcome(expect = FORBIDDEN, desc = "reader and owner inside together")
    @State
    public static class RetakeAgainstExclusive extends TwoCpus {
        private final LockPath path;

        public RetakeAgainstExclusive() {
            super(SharexLock.SLOTTED);
            path = one.newPath();
            long claims = one.claims();
            one.begin(false);
            int mark = one.mark();
            one.stage(locks, SECOND);
            one.stage(locks, FIRST);
            if (!one.commit(mark)) {
                throw new AssertionError("nobody else is there");
            }
            one.remember(path, mark, locks, claims);
            one.releaseAll();
        }

        @Actor
        public void reader(II_Result r) {
            one.begin(false);
            r.r1 = path.leadsTo(locks) && one.retake(path) ? a + 2 * b : BUSY;
            one.releaseAll();
        }

        @Actor
        public void owner(II_Result r) {
            r.r2 = own(other);
        }
    }

    /** A reader that becomes the owner waits for nobody: it is refused while others read. */
    @JCStressTest
    @Outcome(
            id = {"1, 0", "1, 3", "1, -1", "-1, 0"},
            expect = ACCEPTABLE,
            desc = "one after the other, or one met the other")
    @Outcome(expect = FORBIDDEN, desc = "together, or refused for nothing")
    @State
    public static class UpgradeAgainstShare extends TwoCpus {
        public UpgradeAgainstShare() {
            super(SharexLock.SLOTTED);
        }

        @Actor
        public void owner(II_Result r) {
            r.r1 = readThenOwn(one);
        }

        @Actor
        public void reader(II_Result r) {
            r.r2 = read(other);
        }
    }

    /** Two would-be owners: what they count is never lost. */
    @JCStressTest
    @Outcome(
            id = {"1, 2", "2, 1", "1, -1", "-1, 1"},
            expect = ACCEPTABLE,
            desc = "one after the other, or one was refused")
    @Outcome(expect = FORBIDDEN, desc = "both inside together, or both refused")
    @State
    public static class ExclusiveAgainstExclusive extends TwoCpus {
        public ExclusiveAgainstExclusive() {
            super(SharexLock.SLOTTED);
        }

        private int count(HeldLocks mine) {
            mine.begin(false);
            int now = mine.exclusive(locks, FIRST) ? ++a : BUSY;
            mine.releaseAll();
            return now;
        }

        @Actor
        public void first(II_Result r) {
            r.r1 = count(one);
        }

        @Actor
        public void second(II_Result r) {
            r.r2 = count(other);
        }
    }

    /** A Secure EPT entry's lock: the host's way in against the guest's. */
    @JCStressTest
    @JCStressMeta(ExclusiveAgainstExclusive.class)
    @State
    public static class HostAgainstGuest {
        private final long[] words = new long[32];
        private int a;

        @Actor
        public void host(II_Result r) {
            r.r1 = BUSY;
            if (SharexLock.tryExclusive(words, FIRST)) {
                r.r1 = ++a;
                SharexLock.releaseExclusive(words, FIRST);
            }
        }

        @Actor
        public void guest(II_Result r) {
            r.r2 = BUSY;
            if (SharexLock.tryExclusiveAsGuest(words, FIRST) == SharexLock.TAKEN) {
                r.r2 = ++a;
                SharexLock.releaseExclusive(words, FIRST);
            }
        }
    }
}
