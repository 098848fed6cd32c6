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
 * get and put of version 4, patch 7, <b>as posted</b> (facts: Linux sheet section 3.3): one lock
 * round everything.
 *
 * <p>R-13 is left in: when ADD fails, get logs, frees the pair, and still answers OK. The caller
 * goes on and meets MISSING_PAMT_PAGE_PAIR at its next SEAMCALL; its put then asks the module for a
 * pair that is not there, which is refused and logged.
 */
public final class GlobalLockBacking implements PamtBacking {
    private final RangeRefcounts counts;
    private final PhymemLeaves module;
    private final PairPages pages;
    private final Lock lock = new Lock(LockRank.PAMT);

    public GlobalLockBacking(RangeRefcounts counts, PhymemLeaves module, PairPages pages) {
        this.counts = counts;
        this.module = module;
        this.pages = pages;
    }

    @Override
    public int get(HostCpu cpu, @Pfn long pfn, PairSource pairs) {
        long[] pair = cpu.pair();
        // (2)
        if (!pairs.take(pair)) {
            return Errno.ENOMEM;
        }
        boolean given = false;
        lock.lock(); // (3)
        try {
            if (counts.read(pfn) > 0) {
                // (4)
                counts.increment(pfn);
            } else {
                // (5)
                long status = module.pamtAdd(cpu, pfn, pair[0], pair[1]);
                if (status == Status.SUCCESS) {
                    counts.increment(pfn); // (7) I1
                    given = true;
                } else {
                    // (6) R-13: no error reaches the caller.
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
        lock.lock(); // (2)
        try {
            // (3)
            if (counts.read(pfn) > 1) {
                counts.decrement(pfn);
                return;
            }
            // (4)
            long status = module.pamtRemove(cpu, pfn);
            if (status != Status.SUCCESS) {
                // (5) The pair is leaked and the count stays.
                pages.complain("TDH.PHYMEM.PAMT.REMOVE", pfn, status);
                return;
            }
            counts.decrement(pfn); // (6) I2
        } finally {
            lock.unlock();
        }
        pages.freeReturned(cpu); // (8) I7
    }
}
