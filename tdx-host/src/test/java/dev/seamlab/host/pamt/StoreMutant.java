// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.pamt;

import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.mem.PageAllocator;
import dev.seamlab.host.mem.PageUse;
import java.util.Arrays;

/**
 * The sparse store once more, with each step that went wrong in the series open to be got wrong
 * again. Unchanged it keeps the contract, so that what a mutant is killed for is its one change.
 */
class StoreMutant extends RangeRefcounts {
    static final long COUNTERS_PER_PAGE = 1024;

    private final PageAllocator pages;
    private final long[] slots;

    StoreMutant(PageAllocator pages, long maxPfn) {
        super(maxPfn);
        this.pages = pages;
        this.slots = new long[(int) pagesFor(reservedCounters(maxPfn))];
        Arrays.fill(slots, PageAllocator.NONE);
    }

    /** How many counters the address space is reserved for. */
    long reservedCounters(long maxPfn) {
        return (maxPfn + 511) / 512;
    }

    /** How many counters' pages teardown looks at. */
    long releasedCounters(long maxPfn) {
        return reservedCounters(maxPfn);
    }

    /** Last counter of a block whose end is exclusive. */
    long lastCounter(long endPfn) {
        return (endPfn - 1) / 512;
    }

    /** First page after those that hold the counters up to this one. */
    long endPage(long lastCounter) {
        return lastCounter / COUNTERS_PER_PAGE + 1;
    }

    boolean looksBeforePopulating() {
        return true;
    }

    boolean looksBeforeFreeing() {
        return true;
    }

    int initialCount() {
        return 0;
    }

    int populate(long startPfn, long endPfn) {
        long end = endPage(lastCounter(endPfn));
        for (int page = (int) (startPfn / 512 / COUNTERS_PER_PAGE); page < end; page++) {
            if (slots[page] != PageAllocator.NONE && looksBeforePopulating()) {
                continue;
            }
            long fresh = pages.allocate(0, PageUse.REFCOUNTS);
            if (fresh == PageAllocator.NONE) {
                return Errno.ENOMEM;
            }
            slots[page] = fresh;
            long first = page * COUNTERS_PER_PAGE * 512;
            for (long i = 0; i < COUNTERS_PER_PAGE && first + i * 512 < maxPfn(); i++) {
                set(first + i * 512, initialCount());
            }
        }
        return Errno.OK;
    }

    @Override
    protected boolean isPopulated(long pfn) {
        return slots[(int) (pfn / 512 / COUNTERS_PER_PAGE)] != PageAllocator.NONE;
    }

    @Override
    public long bytes() {
        return Arrays.stream(slots).filter(slot -> slot != PageAllocator.NONE).count() * 4096;
    }

    @Override
    public void release() {
        for (int page = 0; page < pagesFor(releasedCounters(maxPfn())); page++) {
            if (slots[page] != PageAllocator.NONE || !looksBeforeFreeing()) {
                pages.free(slots[page], PageUse.REFCOUNTS);
                slots[page] = PageAllocator.NONE;
            }
        }
    }

    private static long pagesFor(long counters) {
        return (counters + COUNTERS_PER_PAGE - 1) / COUNTERS_PER_PAGE;
    }

    static final class R01InclusiveEnd extends StoreMutant {
        R01InclusiveEnd(PageAllocator pages, long maxPfn) {
            super(pages, maxPfn);
        }

        @Override
        long lastCounter(long endPfn) {
            return endPfn / 512;
        }
    }

    static final class R02EmptyAfterRounding extends StoreMutant {
        R02EmptyAfterRounding(PageAllocator pages, long maxPfn) {
            super(pages, maxPfn);
        }

        @Override
        long endPage(long lastCounter) {
            return (lastCounter + COUNTERS_PER_PAGE - 1) / COUNTERS_PER_PAGE;
        }
    }

    static final class R03FlooredCounters extends StoreMutant {
        R03FlooredCounters(PageAllocator pages, long maxPfn) {
            super(pages, maxPfn);
        }

        @Override
        long reservedCounters(long maxPfn) {
            return maxPfn / 512;
        }
    }

    static final class R04FlooredTeardown extends StoreMutant {
        R04FlooredTeardown(PageAllocator pages, long maxPfn) {
            super(pages, maxPfn);
        }

        @Override
        long releasedCounters(long maxPfn) {
            return maxPfn / 512;
        }
    }

    static final class R06PopulatesTwice extends StoreMutant {
        R06PopulatesTwice(PageAllocator pages, long maxPfn) {
            super(pages, maxPfn);
        }

        @Override
        boolean looksBeforePopulating() {
            return false;
        }
    }

    static final class R07FreesEmptySlots extends StoreMutant {
        R07FreesEmptySlots(PageAllocator pages, long maxPfn) {
            super(pages, maxPfn);
        }

        @Override
        boolean looksBeforeFreeing() {
            return false;
        }
    }

    static final class R08NotZeroed extends StoreMutant {
        R08NotZeroed(PageAllocator pages, long maxPfn) {
            super(pages, maxPfn);
        }

        @Override
        int initialCount() {
            return 0x5A5A;
        }
    }
}
