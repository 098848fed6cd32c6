// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.lincheck;

import dev.seamlab.seam.lock.SharexLock;
import java.util.Arrays;
import org.jetbrains.lincheck.datastructures.Operation;
import org.jetbrains.lincheck.datastructures.Param;
import org.jetbrains.lincheck.datastructures.ThreadIdGen;

/**
 * A lock that host and guest try for, as they do for a Secure EPT entry's. A thread gives back only
 * what it has.
 */
@Param(name = "thread", gen = ThreadIdGen.class)
public class SharexPrograms {
    private static final int LOCK = 1;

    private enum Held {
        NOT,
        SHARED,
        ALONE
    }

    private final long[] words = new long[2];
    private final Held[] held = nothingHeld();

    private static Held[] nothingHeld() {
        Held[] held = new Held[LinearizabilityTest.MOST_THREADS];
        Arrays.fill(held, Held.NOT);
        return held;
    }

    @Operation
    public boolean share(@Param(name = "thread") int thread) {
        return held[thread] == Held.NOT
                && got(thread, Held.SHARED, SharexLock.tryShare(words, LOCK));
    }

    @Operation
    public boolean exclusive(@Param(name = "thread") int thread) {
        return held[thread] == Held.NOT
                && got(thread, Held.ALONE, SharexLock.tryExclusive(words, LOCK));
    }

    @Operation
    public boolean upgrade(@Param(name = "thread") int thread) {
        return held[thread] == Held.SHARED
                && got(thread, Held.ALONE, SharexLock.tryUpgrade(words, LOCK));
    }

    @Operation
    public int shareAsGuest(@Param(name = "thread") int thread) {
        if (held[thread] != Held.NOT) {
            return -1;
        }
        int outcome = SharexLock.tryShareAsGuest(words, LOCK);
        got(thread, Held.SHARED, outcome == SharexLock.TAKEN);
        return outcome;
    }

    @Operation
    public int exclusiveAsGuest(@Param(name = "thread") int thread) {
        if (held[thread] != Held.NOT) {
            return -1;
        }
        int outcome = SharexLock.tryExclusiveAsGuest(words, LOCK);
        got(thread, Held.ALONE, outcome == SharexLock.TAKEN);
        return outcome;
    }

    @Operation
    public void release(@Param(name = "thread") int thread) {
        switch (held[thread]) {
            case NOT -> {}
            case SHARED -> SharexLock.releaseShare(words, LOCK);
            case ALONE -> SharexLock.releaseExclusive(words, LOCK);
        }
        held[thread] = Held.NOT;
    }

    private boolean got(int thread, Held how, boolean taken) {
        if (taken) {
            held[thread] = how;
        }
        return taken;
    }

    /** What the operations mean. */
    public static class OnPaper {
        private final Held[] held = nothingHeld();
        private boolean hostPriority;

        public boolean share(int thread) {
            return held[thread] == Held.NOT && host(thread, Held.SHARED, count(Held.ALONE) == 0);
        }

        public boolean exclusive(int thread) {
            return held[thread] == Held.NOT && host(thread, Held.ALONE, isFree());
        }

        public boolean upgrade(int thread) {
            return held[thread] == Held.SHARED && host(thread, Held.ALONE, count(Held.SHARED) == 1);
        }

        public int shareAsGuest(int thread) {
            return guest(thread, Held.SHARED, count(Held.ALONE) == 0);
        }

        public int exclusiveAsGuest(int thread) {
            return guest(thread, Held.ALONE, isFree());
        }

        public void release(int thread) {
            held[thread] = Held.NOT;
        }

        private boolean host(int thread, Held how, boolean may) {
            hostPriority = !may;
            if (may) {
                held[thread] = how;
            }
            return may;
        }

        private int guest(int thread, Held how, boolean may) {
            if (held[thread] != Held.NOT) {
                return -1;
            }
            if (hostPriority) {
                return SharexLock.HOST_PRIORITY_BUSY;
            }
            if (!may) {
                return SharexLock.BUSY;
            }
            held[thread] = how;
            return SharexLock.TAKEN;
        }

        private boolean isFree() {
            return count(Held.NOT) == held.length;
        }

        private long count(Held how) {
            return Arrays.stream(held).filter(is -> is == how).count();
        }
    }
}
