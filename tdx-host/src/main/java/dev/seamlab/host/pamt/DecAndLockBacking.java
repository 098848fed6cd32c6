// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.pamt;

import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.tdh.PhymemLeaves;
import dev.seamlab.machine.Pfn;
import dev.seamlab.machine.sched.Lock;
import dev.seamlab.machine.sched.LockRank;
import dev.seamlab.seam.abi.Status;

/**
 * get and put as in version 6, patch 6 (facts: Linux sheet section 3.5): counts move without the
 * lock, except from and to zero.
 *
 * <p>The lock makes "the count is zero" and "the pair is absent" one fact (I1, I2); outside it only
 * the first half can be seen. So HPA_RANGE_NOT_FREE cannot come from a race, and counts as an error
 * like any other.
 *
 * <p>Why put decrements and locks in one step. With a plain decrement before the lock:
 *
 * <pre>
 *   CPU 0: put                  CPU 1: get, then put              CPU 2: get
 *   count 1 -> 0
 *                               lock; ADD says "not free",
 *                               so a put must be on its way:
 *                               count = 1; unlock
 *                               count 1 -> 0
 *                               lock; REMOVE succeeds; unlock
 *   lock; count is 0;
 *   REMOVE fails; count = 1                                       count 1 -> 2, and no pair behind it
 * </pre>
 */
public final class DecAndLockBacking implements PamtBacking {
    private final RangeRefcounts counts;
    private final PhymemLeaves module;
    private final PairPages pages;
    private final Lock lock = new Lock(LockRank.PAMT);

    public DecAndLockBacking(RangeRefcounts counts, PhymemLeaves module, PairPages pages) {
        this.counts = counts;
        this.module = module;
        this.pages = pages;
    }

    @Override
    public int get(HostCpu cpu, @Pfn long pfn, PairSource pairs) {
        // (2) One more of a backed range; who has a count keeps the pair there (I3).
        if (counts.incNotZero(pfn)) {
            return Errno.OK;
        }
        // (3) Outside the lock: taking a pair may allocate, and the rank PAMT forbids that.
        long[] pair = cpu.pair();
        if (!pairs.take(pair)) {
            return Errno.ENOMEM;
        }
        int result = Errno.OK;
        boolean given = false;
        lock.lock(); // (4)
        try {
            if (counts.read(pfn) != 0) {
                // (5) Another get was quicker, and losing a race is success (I6).
                counts.increment(pfn);
            } else {
                // (6) Zero under the lock: no pair is there (I2).
                long status = module.pamtAdd(cpu, pfn, pair[0], pair[1]);
                if (status == Status.SUCCESS) {
                    counts.set(pfn, 1); // (8) I1
                    given = true;
                } else {
                    // (7)
                    pages.warnOnce("TDH.PHYMEM.PAMT.ADD", pfn, status);
                    result = Errno.EIO;
                }
            }
        } finally {
            lock.unlock();
        }
        if (!given) {
            // (5), (7): the pair was not needed, or not taken.
            pages.free(cpu, pair[0], pair[1]);
        }
        return result;
    }

    @Override
    public void put(HostCpu cpu, @Pfn long pfn) {
        // (2) Not the last: no lock. Otherwise the lock first, then the count.
        if (counts.decAboveOne(pfn)) {
            return;
        }
        lock.lock();
        try {
            if (counts.decrement(pfn) != 0) {
                return; // a get came between
            }
            // (3) One to zero and REMOVE in one critical section (I1, I2).
            long status = module.pamtRemove(cpu, pfn);
            if (status != Status.SUCCESS) {
                // (4) The module keeps the pair; the count keeps I1 true. A later put tries again
                //
                pages.warnOnce("TDH.PHYMEM.PAMT.REMOVE", pfn, status);
                counts.set(pfn, 1);
                return;
            }
        } finally {
            lock.unlock();
        }
        pages.freeReturned(cpu); // (5) I5, I7
    }
}
