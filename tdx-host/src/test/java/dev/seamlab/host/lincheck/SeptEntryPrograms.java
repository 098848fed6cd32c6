// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.lincheck;

import dev.seamlab.seam.abi.SeptEntryState;
import dev.seamlab.seam.lock.SharexLock;
import dev.seamlab.seam.sept.SeptEntry;
import org.jetbrains.lincheck.datastructures.Operation;
import org.jetbrains.lincheck.datastructures.Param;
import org.jetbrains.lincheck.datastructures.ThreadIdGen;

/** The lock in a Secure EPT entry, and what its owner writes there: a page of its own number. */
@Param(name = "thread", gen = ThreadIdGen.class)
public class SeptEntryPrograms {
    private static final int AT = 1;

    private final long[] words = {0, SeptEntry.FREE};
    private final boolean[] held = new boolean[LinearizabilityTest.MOST_THREADS];

    @Operation
    public boolean lock(@Param(name = "thread") int thread) {
        boolean taken = SeptEntry.tryLock(words, AT);
        held[thread] |= taken;
        return taken;
    }

    @Operation
    public int lockAsGuest(@Param(name = "thread") int thread) {
        int outcome = SeptEntry.tryLockAsGuest(words, AT);
        held[thread] |= outcome == SharexLock.TAKEN;
        return outcome;
    }

    /** Answers what stands there while the thread has the entry, and nothing otherwise. */
    @Operation
    public long look(@Param(name = "thread") int thread) {
        return held[thread] ? SeptEntry.hpa(words[AT]) : -1;
    }

    @Operation
    public void unlock(@Param(name = "thread") int thread) {
        if (held[thread]) {
            held[thread] = false;
            SeptEntry.unlock(words, AT);
        }
    }

    @Operation
    public void commit(@Param(name = "thread") int thread) {
        if (held[thread]) {
            held[thread] = false;
            long page = (thread + 1L) << 12;
            SeptEntry.commit(words, AT, SeptEntry.leaf(page, SeptEntryState.MAPPED));
        }
    }

    /** What the operations mean. */
    public static class OnPaper {
        private int owner = -1;
        private boolean hostPriority;
        private long page;

        public boolean lock(int thread) {
            hostPriority = owner >= 0;
            if (owner < 0) {
                owner = thread;
                return true;
            }
            return false;
        }

        public int lockAsGuest(int thread) {
            if (hostPriority) {
                return SharexLock.HOST_PRIORITY_BUSY;
            }
            if (owner >= 0) {
                return SharexLock.BUSY;
            }
            owner = thread;
            return SharexLock.TAKEN;
        }

        public long look(int thread) {
            return owner == thread ? page : -1;
        }

        public void unlock(int thread) {
            owner = owner == thread ? -1 : owner;
        }

        public void commit(int thread) {
            if (owner == thread) {
                owner = -1;
                page = (thread + 1L) << 12;
            }
        }
    }
}
