// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.check.museum;

import dev.seamlab.host.TdxHost;
import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.mem.PageAllocator;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.host.pamt.PairSource;
import dev.seamlab.host.pamt.PamtBacking;
import dev.seamlab.host.pamt.RangeRefcounts;
import dev.seamlab.host.tdh.PhymemLeaves;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.sched.Lock;
import dev.seamlab.machine.sched.LockRank;
import dev.seamlab.seam.abi.Status;

/**
 * get and put of version 6 in steps that a defect of history can be put in place of. Each mutant
 * overrides the one step in which it differs.
 */
class Mutant implements PamtBacking {
    final RangeRefcounts counts;
    final PhymemLeaves module;
    final PageAllocator pages;
    final Lock lock = new Lock(LockRank.PAMT);

    Mutant(TdxHost host) {
        counts = host.refcounts().orElseThrow();
        module = host.tdh().phymem();
        pages = host.pages();
    }

    @Override
    public Lock lock() {
        return lock;
    }

    @Override
    public int get(HostCpu cpu, long pfn, PairSource pairs) {
        if (counts.incNotZero(pfn)) {
            return Errno.OK;
        }
        long[] pair = cpu.pair();
        if (!pairs.take(pair)) {
            return Errno.ENOMEM;
        }
        lock.lock();
        int result = firstUser(cpu, pfn, pair);
        lock.unlock();
        if (result != GIVEN) {
            unused(pair);
        }
        return Math.min(result, Errno.OK);
    }

    static final int GIVEN = 1;

    /** Under the lock: OK where somebody was quicker, GIVEN where the module took the pair. */
    int firstUser(HostCpu cpu, long pfn, long[] pair) {
        if (counts.read(pfn) != 0) {
            counts.increment(pfn);
            return Errno.OK;
        }
        return add(cpu, pfn, pair);
    }

    int add(HostCpu cpu, long pfn, long[] pair) {
        if (module.pamtAdd(cpu, pfn, pair[0], pair[1]) != Status.SUCCESS) {
            return Errno.EIO;
        }
        counts.set(pfn, 1);
        return GIVEN;
    }

    /** A pair that the module did not take. */
    void unused(long[] pair) {
        free(pair[0], pair[1]);
    }

    @Override
    public void put(HostCpu cpu, long pfn) {
        if (counts.decAboveOne(pfn)) {
            return;
        }
        lock.lock();
        boolean returned = lastUser(cpu, pfn);
        lock.unlock();
        if (returned) {
            free(Addresses.pfn(cpu.regs().rdx()), Addresses.pfn(cpu.regs().r8()));
        }
    }

    /** Under the lock: whether the module returned the pair. */
    boolean lastUser(HostCpu cpu, long pfn) {
        if (counts.decrement(pfn) != 0) {
            return false;
        }
        if (module.pamtRemove(cpu, pfn) != Status.SUCCESS) {
            counts.set(pfn, 1);
            return false;
        }
        return true;
    }

    final void free(long page0, long page1) {
        pages.free(page0, PageUse.PAMT_PAIR);
        pages.free(page1, PageUse.PAMT_PAIR);
    }
}
