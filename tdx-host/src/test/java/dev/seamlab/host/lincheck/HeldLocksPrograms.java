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
public class HeldLocksPrograms {
    private static final int LOCK = 16;

    private final long[] words = new long[32];
    private final HeldLocks[] cpus = HeldLocks.ofCpus(LinearizabilityTest.MOST_THREADS);
    private final boolean[] last = new boolean[LinearizabilityTest.MOST_THREADS];

    public HeldLocksPrograms() {
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
        boolean taken = cpus[thread].exclusive(words, LOCK);
        last[thread] &= !taken;
        return taken;
    }

    @Operation
    public boolean upgrade(@Param(name = "thread") int thread) {
        boolean taken = last[thread] && cpus[thread].upgradeLast();
        last[thread] &= !taken;
        return taken;
    }

    @Operation
    public void release(@Param(name = "thread") int thread) {
        cpus[thread].releaseAll();
        last[thread] = false;
    }

    /** What the operations mean. */
    public static class OnPaper {
        private final List<Integer> readers = new ArrayList<>();
        private int owner = -1;

        public boolean share(int thread) {
            return owner < 0 && readers.add(thread);
        }

        public boolean exclusive(int thread) {
            if (owner >= 0 || !readers.isEmpty()) {
                return false;
            }
            owner = thread;
            return true;
        }

        public boolean upgrade(int thread) {
            if (!readers.equals(List.of(thread))) {
                return false;
            }
            readers.clear();
            owner = thread;
            return true;
        }

        public void release(int thread) {
            readers.removeIf(reader -> reader == thread);
            owner = owner == thread ? -1 : owner;
        }
    }
}
