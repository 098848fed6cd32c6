// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.lincheck;

import dev.seamlab.seam.lock.HeldLocks;
import dev.seamlab.seam.lock.SharexLock;
import java.util.ArrayList;
import java.util.List;
import org.jetbrains.lincheck.datastructures.Operation;
import org.jetbrains.lincheck.datastructures.Param;
import org.jetbrains.lincheck.datastructures.ThreadIdGen;

/** A lock whose readers stand in slots, and a CPU for each thread. */
@Param(name = "thread", gen = ThreadIdGen.class)
public abstract class HeldLocksPrograms {
    private static final int LOCK = 16;

    private final long[] words = new long[32];
    private final HeldLocks[] cpus = HeldLocks.ofCpus(LinearizabilityTest.MOST_THREADS);
    private final boolean[] last = new boolean[LinearizabilityTest.MOST_THREADS];

    private final Owners owners;

    HeldLocksPrograms(Owners owners) {
        this.owners = owners;
        words[LOCK] = SharexLock.SLOTTED;
    }

    @Operation
    public boolean share(@Param(name = "thread") int thread) {
        boolean taken = cpus[thread].share(words, LOCK);
        last[thread] |= taken;
        return taken;
    }

    @Operation
    public boolean exclusive(@Param(name = "thread") int thread) {
        boolean taken = owners.may(thread) && cpus[thread].exclusive(words, LOCK);
        return owns(thread, taken);
    }

    @Operation
    public boolean upgrade(@Param(name = "thread") int thread) {
        boolean taken = owners.may(thread) && last[thread] && cpus[thread].upgradeLast();
        return owns(thread, taken);
    }

    private boolean owns(int thread, boolean taken) {
        if (taken) {
            last[thread] = false;
            owners.owns(thread);
        }
        return taken;
    }

    @Operation
    public void release(@Param(name = "thread") int thread) {
        cpus[thread].releaseAll();
        last[thread] = false;
    }

    /** Who may try to own the lock. */
    static final class Owners {
        private final boolean[] owned = new boolean[LinearizabilityTest.MOST_THREADS];
        private final boolean again;

        Owners(boolean again) {
            this.again = again;
        }

        boolean may(int thread) {
            return again || !owned[thread];
        }

        void owns(int thread) {
            owned[thread] = true;
        }
    }

    /** Each owns the lock at most once. */
    public static class Once extends HeldLocksPrograms {
        public Once() {
            super(new Owners(false));
        }

        /** What the operations mean. */
        public static class OnPaper extends Meaning {
            public OnPaper() {
                super(new Owners(false));
            }
        }
    }

    /**
     * Owners come back. Such a one may be refused although nobody has the lock any more: a reader
     * that it kept out itself has been told so, but still stands in its slot.
     */
    public static class Again extends HeldLocksPrograms {
        public Again() {
            super(new Owners(true));
        }

        /** What the operations mean. */
        public static class OnPaper extends Meaning {
            public OnPaper() {
                super(new Owners(true));
            }
        }
    }

    /** What the operations mean. */
    public abstract static class Meaning {
        private final List<Integer> readers = new ArrayList<>();
        private final Owners owners;
        private int owner = -1;

        Meaning(Owners owners) {
            this.owners = owners;
        }

        public boolean share(int thread) {
            return owner < 0 && readers.add(thread);
        }

        public boolean exclusive(int thread) {
            if (!owners.may(thread) || owner >= 0 || !readers.isEmpty()) {
                return false;
            }
            return owns(thread);
        }

        public boolean upgrade(int thread) {
            if (!owners.may(thread) || !readers.equals(List.of(thread))) {
                return false;
            }
            readers.clear();
            return owns(thread);
        }

        public void release(int thread) {
            readers.removeIf(reader -> reader == thread);
            owner = owner == thread ? -1 : owner;
        }

        private boolean owns(int thread) {
            owners.owns(thread);
            owner = thread;
            return true;
        }
    }
}
