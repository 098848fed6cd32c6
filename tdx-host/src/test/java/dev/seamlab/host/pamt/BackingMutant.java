// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.pamt;

import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.mem.PageAllocator;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.host.tdh.PhymemLeaves;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.sched.Lock;
import dev.seamlab.machine.sched.LockRank;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.StatusCode;

/**
 * The merged get and put once more, with each step that went wrong in the series open to be got
 * wrong again. Unchanged it keeps every rule.
 */
class BackingMutant implements PamtBacking {
    final RangeRefcounts counts;
    final PhymemLeaves module;
    final PairPages pages;
    final PageAllocator allocator;
    private final Lock lock = new Lock(LockRank.PAMT);

    BackingMutant(
            RangeRefcounts counts, PhymemLeaves module, PairPages pages, PageAllocator allocator) {
        this.counts = counts;
        this.module = module;
        this.pages = pages;
        this.allocator = allocator;
    }

    /** Whether a get has to install the pair. */
    boolean isFirst(long pfn) {
        return counts.read(pfn) == 0;
    }

    /** What get answers where ADD was refused. */
    int refused(long pfn, long status) {
        return Errno.EIO;
    }

    /** A pair that the module did not take. */
    void giveBackUnused(HostCpu cpu, long[] pair) {
        pages.free(cpu, pair[0], pair[1]);
    }

    /** A pair that the module returned. */
    void giveBackReturned(HostCpu cpu) {
        pages.freeReturned(cpu);
    }

    /** The count after REMOVE was refused. */
    void removeRefused(long pfn) {
        // It stays.
    }

    /** A put where the count is zero. */
    void underflow(long pfn) {
        throw new IllegalStateException("put without get");
    }

    @Override
    public int get(HostCpu cpu, long pfn, PairSource pairs) {
        long[] pair = cpu.pair();
        if (!pairs.take(pair)) {
            return Errno.ENOMEM;
        }
        int result = Errno.OK;
        boolean given = false;
        lock.lock();
        try {
            if (isFirst(pfn)) {
                long status = module.pamtAdd(cpu, pfn, pair[0], pair[1]);
                given = status == Status.SUCCESS;
                if (given) {
                    counts.set(pfn, 1);
                } else {
                    result = refused(pfn, status);
                }
            } else {
                counts.increment(pfn);
            }
        } finally {
            lock.unlock();
        }
        if (!given) {
            giveBackUnused(cpu, pair);
        }
        return result;
    }

    @Override
    public void put(HostCpu cpu, long pfn) {
        lock.lock();
        try {
            if (counts.decAboveOne(pfn)) {
                return;
            }
            if (counts.read(pfn) == 0) {
                underflow(pfn);
                return;
            }
            if (module.pamtRemove(cpu, pfn) != Status.SUCCESS) {
                removeRefused(pfn);
                return;
            }
            counts.set(pfn, 0);
        } finally {
            lock.unlock();
        }
        giveBackReturned(cpu);
    }

    /** Makes a backing from what it stands on. */
    interface Maker {
        PamtBacking make(
                RangeRefcounts counts,
                PhymemLeaves module,
                PairPages pages,
                PageAllocator allocator);
    }

    static final class R10AlignsFrameWithBytes extends BackingMutant {
        R10AlignsFrameWithBytes(RangeRefcounts c, PhymemLeaves m, PairPages p, PageAllocator a) {
            super(c, m, p, a);
        }

        @Override
        public int get(HostCpu cpu, long pfn, PairSource pairs) {
            return super.get(cpu, Addresses.alignDown(pfn, Addresses.RANGE_SIZE), pairs);
        }

        @Override
        public void put(HostCpu cpu, long pfn) {
            super.put(cpu, Addresses.alignDown(pfn, Addresses.RANGE_SIZE));
        }
    }

    static final class R11IgnoresTheCount extends BackingMutant {
        R11IgnoresTheCount(RangeRefcounts c, PhymemLeaves m, PairPages p, PageAllocator a) {
            super(c, m, p, a);
        }

        @Override
        boolean isFirst(long pfn) {
            return true;
        }
    }

    static final class R13AnswersOkWithoutAPair extends BackingMutant {
        R13AnswersOkWithoutAPair(RangeRefcounts c, PhymemLeaves m, PairPages p, PageAllocator a) {
            super(c, m, p, a);
        }

        @Override
        int refused(long pfn, long status) {
            return Errno.OK;
        }
    }

    static final class R17TakesNotFreeForSuccess extends BackingMutant {
        R17TakesNotFreeForSuccess(RangeRefcounts c, PhymemLeaves m, PairPages p, PageAllocator a) {
            super(c, m, p, a);
        }

        @Override
        int refused(long pfn, long status) {
            if (!StatusCode.HPA_RANGE_NOT_FREE.matches(status)) {
                return Errno.EIO;
            }
            counts.set(pfn, 1);
            return Errno.OK;
        }
    }

    static final class R18FreesWithoutReset extends BackingMutant {
        R18FreesWithoutReset(RangeRefcounts c, PhymemLeaves m, PairPages p, PageAllocator a) {
            super(c, m, p, a);
        }

        @Override
        void giveBackReturned(HostCpu cpu) {
            allocator.free(cpu, Addresses.pfn(cpu.regs().rdx()), PageUse.PAMT_PAIR);
            allocator.free(cpu, Addresses.pfn(cpu.regs().r8()), PageUse.PAMT_PAIR);
        }
    }

    static final class R19CountsDownAfterARefusedRemove extends BackingMutant {
        R19CountsDownAfterARefusedRemove(
                RangeRefcounts c, PhymemLeaves m, PairPages p, PageAllocator a) {
            super(c, m, p, a);
        }

        @Override
        void removeRefused(long pfn) {
            counts.set(pfn, 0);
        }
    }

    static final class R22LosesTheUnusedPair extends BackingMutant {
        R22LosesTheUnusedPair(RangeRefcounts c, PhymemLeaves m, PairPages p, PageAllocator a) {
            super(c, m, p, a);
        }

        @Override
        void giveBackUnused(HostCpu cpu, long[] pair) {
            // Gone.
        }
    }

    static final class R23LetsTheCountUnderflow extends BackingMutant {
        R23LetsTheCountUnderflow(RangeRefcounts c, PhymemLeaves m, PairPages p, PageAllocator a) {
            super(c, m, p, a);
        }

        @Override
        void underflow(long pfn) {
            counts.set(pfn, -1);
        }
    }
}
