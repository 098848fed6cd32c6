// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.pamt;

import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.tdh.PhymemLeaves;
import dev.seamlab.machine.Pfn;
import dev.seamlab.machine.sched.Lock;
import dev.seamlab.machine.sched.LockRank;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.StatusCode;

/**
 * get and put of version 4, patch 8, <b>as posted</b> (facts: Linux sheet section 3.4): the count
 * goes from 0 to 1 under the lock, but from 1 to 0 outside it, and the module's answer
 * HPA_RANGE_NOT_FREE tells get that a put is on its way.
 *
 * <p>Left in as posted:
 *
 * <ul>
 *   <li>R-16: two pending puts. The table stands in {@link DecAndLockBacking}; it breaks I1.
 *   <li>R-17: HPA_RANGE_NOT_FREE also comes from a range in use as one 2M page; get then answers OK
 *       without 4K backing.
 *   <li>R-13: any other failure of ADD is logged and answered with OK. The put that follows makes
 *       the count negative in the kernel; here it raises.
 * </ul>
 */
public final class LockAvoidingBacking implements PamtBacking {
    private final RangeRefcounts counts;
    private final PhymemLeaves module;
    private final PairPages pages;
    private final Lock lock = new Lock(LockRank.PAMT);

    public LockAvoidingBacking(RangeRefcounts counts, PhymemLeaves module, PairPages pages) {
        this.counts = counts;
        this.module = module;
        this.pages = pages;
    }

    @Override
    public int get(HostCpu cpu, @Pfn long pfn, PairSource pairs) {
        // (2)
        if (counts.incNotZero(pfn)) {
            return Errno.OK;
        }
        // (3)
        long[] pair = cpu.pair();
        if (!pairs.take(pair)) {
            return Errno.ENOMEM;
        }
        boolean given = false;
        lock.lock(); // (4)
        try {
            if (counts.read(pfn) != 0) {
                counts.increment(pfn); // (5)
            } else {
                // (6) Zero, but I2 does not hold here: a put may not have removed its pair yet.
                long status = module.pamtAdd(cpu, pfn, pair[0], pair[1]);
                if (status == Status.SUCCESS) {
                    counts.set(pfn, 1); // (7)
                    given = true;
                } else if (StatusCode.HPA_RANGE_NOT_FREE.matches(status)) {
                    // (8) Taken for a put that has counted down but not entered the lock yet.
                    counts.set(pfn, 1);
                } else {
                    // (9) R-13
                    pages.complain("TDH.PHYMEM.PAMT.ADD", pfn, status);
                }
            }
        } finally {
            lock.unlock();
        }
        if (!given) {
            pages.free(cpu, pair[0], pair[1]);
        }
        return Errno.OK;
    }

    @Override
    public void put(HostCpu cpu, @Pfn long pfn) {
        // (2) To zero outside the lock: from here on two puts can be pending.
        if (counts.decrement(pfn) != 0) {
            return;
        }
        lock.lock(); // (3)
        try {
            if (counts.read(pfn) != 0) {
                // (4) A get revived the range.
                return;
            }
            // (5)
            long status = module.pamtRemove(cpu, pfn);
            if (status != Status.SUCCESS) {
                counts.increment(pfn); // (6)
                pages.complain("TDH.PHYMEM.PAMT.REMOVE", pfn, status);
                return;
            }
        } finally {
            lock.unlock();
        }
        pages.freeReturned(cpu); // (7) I7
    }
}
