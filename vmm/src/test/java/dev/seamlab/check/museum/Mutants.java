// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.check.museum;

import dev.seamlab.host.TdxHost;
import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.host.pamt.PairSource;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.sched.Cells;
import dev.seamlab.machine.sched.Lock;
import dev.seamlab.machine.sched.LockRank;
import dev.seamlab.machine.sched.Waits;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.StatusCode;

/** Defects of the series' history, one class each (facts: Linux sheet section 7). */
final class Mutants {
    private Mutants() {}

    /** the counters' memory is not zeroed, so a range starts with a user it never had. */
    static final class CountersNotZeroed extends Mutant {
        private boolean dirty = true;

        CountersNotZeroed(TdxHost host) {
            super(host);
        }

        @Override
        public int get(HostCpu cpu, long pfn, PairSource pairs) {
            if (dirty) {
                dirty = false;
                counts.set(pfn, 1);
            }
            return super.get(cpu, pfn, pairs);
        }
    }

    /** a get under the lock adds although somebody else has. */
    static final class IgnoresTheCount extends Mutant {
        IgnoresTheCount(TdxHost host) {
            super(host);
        }

        @Override
        int firstUser(HostCpu cpu, long pfn, long[] pair) {
            return add(cpu, pfn, pair);
        }
    }

    /** R-19, the wrong way: REMOVE failed, and the count drops to zero all the same. */
    static final class ForgetsTheLeak extends Mutant {
        ForgetsTheLeak(TdxHost host) {
            super(host);
        }

        @Override
        boolean lastUser(HostCpu cpu, long pfn) {
            return counts.decrement(pfn) == 0 && module.pamtRemove(cpu, pfn) == Status.SUCCESS;
        }
    }

    /** a pair that was not needed is lost. */
    static final class LosesUnusedPairs extends Mutant {
        LosesUnusedPairs(TdxHost host) {
            super(host);
        }

        @Override
        void unused(long[] pair) {
            // Forgotten.
        }
    }

    /**
     * a put from an RCU callback, which runs in softirq context on the CPU of a thread that
     * has just taken the lock with interrupts on.
     */
    static final class PutsFromSoftirq extends Mutant {
        private boolean callbackPending = true;

        PutsFromSoftirq(TdxHost host) {
            super(host);
        }

        @Override
        boolean lastUser(HostCpu cpu, long pfn) {
            if (callbackPending) {
                callbackPending = false;
                put(cpu, pfn);
            }
            return super.lastUser(cpu, pfn);
        }
    }

    /**
     * a lock per range, held for the range of the page and then for the range in which the
     * pair's pages lie; taken here to be the neighbour.
     */
    static final class LockPerRange extends Mutant {
        private static final int STRIDE = 16;

        // Plain spinning words: locks of the house would refuse to nest before they deadlock.
        private final int[] locks = new int[9 * STRIDE];

        LockPerRange(TdxHost host) {
            super(host);
        }

        @Override
        public int get(HostCpu cpu, long pfn, PairSource pairs) {
            long[] pair = cpu.pair();
            if (!pairs.take(pair)) {
                return Errno.ENOMEM;
            }
            int range = Addresses.rangeOf(pfn) & 7;
            take(range);
            take(range ^ 1);
            int result = firstUser(cpu, pfn, pair);
            release(range ^ 1);
            release(range);
            if (result != GIVEN) {
                unused(pair);
            }
            return Math.min(result, Errno.OK);
        }

        private void take(int range) {
            int at = (range + 1) * STRIDE;
            while (!Cells.cas(locks, at, 0, 1)) {
                Waits.spinUntil(() -> Cells.acquire(locks, at) == 0);
            }
        }

        private void release(int range) {
            Cells.release(locks, (range + 1) * STRIDE, 0);
        }
    }

    /** whoever splits a page takes another lock than get and put. */
    static final class SplitsOutsideTheLock extends Mutant {
        private final Lock other = new Lock(LockRank.PAMT);

        SplitsOutsideTheLock(TdxHost host) {
            super(host);
        }

        @Override
        public Lock lock() {
            return other;
        }
    }

    /** no count at all; whoever finds the pair there uses it, whoever leaves removes it. */
    static final class Lazy extends Mutant {
        Lazy(TdxHost host) {
            super(host);
        }

        @Override
        public int get(HostCpu cpu, long pfn, PairSource pairs) {
            long[] pair = cpu.pair();
            if (!pairs.take(pair)) {
                return Errno.ENOMEM;
            }
            long status = module.pamtAdd(cpu, pfn, pair[0], pair[1]);
            if (status != Status.SUCCESS) {
                unused(pair);
            }
            return status == Status.SUCCESS || StatusCode.HPA_RANGE_NOT_FREE.matches(status)
                    ? Errno.OK
                    : Errno.EIO;
        }

        @Override
        public void put(HostCpu cpu, long pfn) {
            if (module.pamtRemove(cpu, pfn) == Status.SUCCESS) {
                free(Addresses.pfn(cpu.regs().rdx()), Addresses.pfn(cpu.regs().r8()));
            }
        }
    }

    /** I5 and the order of locks: the pair is allocated under the PAMT lock. */
    static final class AllocatesUnderTheLock extends Mutant {
        AllocatesUnderTheLock(TdxHost host) {
            super(host);
        }

        @Override
        int add(HostCpu cpu, long pfn, long[] pair) {
            long[] other = {
                pages.allocate(0, PageUse.PAMT_PAIR), pages.allocate(0, PageUse.PAMT_PAIR)
            };
            return super.add(cpu, pfn, other);
        }
    }

    /** The count goes up before the pair is there. */
    static final class CountsFirst extends Mutant {
        CountsFirst(TdxHost host) {
            super(host);
        }

        @Override
        public int get(HostCpu cpu, long pfn, PairSource pairs) {
            long[] pair = cpu.pair();
            if (!pairs.take(pair)) {
                return Errno.ENOMEM;
            }
            if (!counts.incNotZero(pfn)) {
                counts.increment(pfn);
                lock.lock();
                long status = module.pamtAdd(cpu, pfn, pair[0], pair[1]);
                lock.unlock();
                return status == Status.SUCCESS ? Errno.OK : Errno.EIO;
            }
            unused(pair);
            return Errno.OK;
        }
    }

    /** A get of a backed range counts twice. */
    static final class CountsTwice extends Mutant {
        CountsTwice(TdxHost host) {
            super(host);
        }

        @Override
        public int get(HostCpu cpu, long pfn, PairSource pairs) {
            if (counts.incNotZero(pfn)) {
                counts.increment(pfn);
                return Errno.OK;
            }
            return super.get(cpu, pfn, pairs);
        }
    }
}
