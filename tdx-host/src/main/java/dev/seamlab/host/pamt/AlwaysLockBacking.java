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
 * get and put as merged in September 2026 (facts: Linux sheet section 3.6): one lock round every
 * get and every put, and the pair is obtained before the lock even where the range has one already.
 * Simple, and each get of a backed range takes and frees two pages, which was the complaint about
 * it.
 */
public final class AlwaysLockBacking implements PamtBacking {
    private final RangeRefcounts counts;
    private final PhymemLeaves module;
    private final PairPages pages;
    private final Lock lock = new Lock(LockRank.PAMT);

    public AlwaysLockBacking(RangeRefcounts counts, PhymemLeaves module, PairPages pages) {
        this.counts = counts;
        this.module = module;
        this.pages = pages;
    }

    @Override
    public int get(HostCpu cpu, @Pfn long pfn, PairSource pairs) {
        long[] pair = cpu.pair();
        // (1) Before the lock, and before anybody knows whether it is needed.
        if (!pairs.take(pair)) {
            return Errno.ENOMEM;
        }
        int result = Errno.OK;
        boolean given = false;
        lock.lock(); // (2)
        try {
            // (3) One more of a backed range (I3), or else (4) its first page: no pair is there
            // (I2).
            if (!counts.incNotZero(pfn)) {
                long status = module.pamtAdd(cpu, pfn, pair[0], pair[1]);
                if (status == Status.SUCCESS) {
                    counts.set(pfn, 1); // (6) I1
                    given = true;
                } else {
                    // (5)
                    pages.complain("TDH.PHYMEM.PAMT.ADD", pfn, status);
                    result = Errno.EIO;
                }
            }
        } finally {
            lock.unlock();
        }
        if (!given) {
            // (3), (5): to the page allocator, not back to the pool.
            pages.free(cpu, pair[0], pair[1]);
        }
        return result;
    }

    @Override
    public void put(HostCpu cpu, @Pfn long pfn) {
        lock.lock(); // (1)
        try {
            // (2)
            if (counts.decAboveOne(pfn)) {
                return;
            }
            requireHeld(pfn);
            // (3)
            long status = module.pamtRemove(cpu, pfn);
            if (status != Status.SUCCESS) {
                // (4) The count stays 1: the pair is leaked, and I1 holds.
                pages.complain("TDH.PHYMEM.PAMT.REMOVE", pfn, status);
                return;
            }
            counts.set(pfn, 0); // (5) I2
        } finally {
            lock.unlock();
        }
        pages.freeReturned(cpu); // (7) I5, I7
    }

    /** The merged code has no such check; the model must not let a put without get pass. */
    private void requireHeld(@Pfn long pfn) {
        if (counts.read(pfn) == 0) {
            throw new IllegalStateException("put without get of frame 0x" + Long.toHexString(pfn));
        }
    }
}
