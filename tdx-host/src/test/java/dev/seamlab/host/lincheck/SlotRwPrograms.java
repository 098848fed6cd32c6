// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.lincheck;

import dev.seamlab.machine.sched.LockRank;
import dev.seamlab.machine.sched.SlotRwLock;
import org.jetbrains.lincheck.datastructures.Operation;
import org.jetbrains.lincheck.datastructures.Param;
import org.jetbrains.lincheck.datastructures.ThreadIdGen;

/** A number in two plain fields, which nothing protects but mmu_lock. */
@Param(name = "thread", gen = ThreadIdGen.class)
public class SlotRwPrograms {
    private static final int TORN = -1;

    private final SlotRwLock lock = new SlotRwLock(LockRank.MMU, LinearizabilityTest.MOST_THREADS);
    private int first;
    private int second;

    @Operation
    public int add() {
        lock.writeLock();
        int next = ++first;
        second++;
        lock.writeUnlock();
        return next;
    }

    @Operation
    public int read(@Param(name = "thread") int thread) {
        return readBy(thread + 1);
    }

    @Operation
    public int readWithoutOwnSlot() {
        return readBy(SlotRwLock.SHARED_SLOT);
    }

    private int readBy(int slot) {
        lock.readLock(slot);
        int seen = first == second ? first : TORN;
        lock.readUnlock(slot);
        return seen;
    }

    /** What the operations mean. */
    public static class OnPaper {
        private int number;

        public int add() {
            return ++number;
        }

        public int read(int thread) {
            return number;
        }

        public int readWithoutOwnSlot() {
            return number;
        }
    }
}
