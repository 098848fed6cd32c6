// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.pamt;

import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.mem.PageAllocator;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Pfn;
import java.util.Arrays;

/**
 * Counters only where there is RAM: address space for all of them, pages of 1024 counters populated
 * per memory block (v4 patch 6; facts: Linux sheet section 2.7).
 *
 * <p>What went wrong in the series and must not here: the end of a block is exclusive, so
 * the last counter is that of {@code end - 1}; the page after the last counter is found by rounding
 * up the counter's end, not its start; the number of counters is rounded up, the same
 * way when pages are freed; neighbouring blocks may share a page, which keeps its counts
 * freeing meets holes.
 */
public final class SparseRefcounts extends RangeRefcounts {
    private static final int COUNTERS_PER_PAGE = (int) Addresses.PAGE_SIZE / Integer.BYTES;
    private static final int RANGE_PFN_SHIFT = Addresses.RANGE_SHIFT - Addresses.PAGE_SHIFT;

    private final PageAllocator pages;
    // Host page behind each page of counters; NONE in a hole.
    private final @Pfn long[] counterPages;
    private int populated;

    /** Address space for the counters of all frames below {@code maxPfn}; no pages yet. */
    public SparseRefcounts(PageAllocator pages, @Pfn long maxPfn) {
        super(maxPfn);
        this.pages = pages;
        long perPage = COUNTERS_PER_PAGE;
        this.counterPages = new long[(int) ((counters(maxPfn) + perPage - 1) / perPage)];
        Arrays.fill(counterPages, PageAllocator.NONE);
    }

    /**
     * Makes the counters of a memory block exist.
     *
     * @param start first frame
     * @param end first frame after the block
     * @param node where counter pages come from
     * @return OK; or ENOMEM, and what was populated stays until {@link #release}
     */
    public int populate(@Pfn long start, @Pfn long end, int node) {
        long firstCounter = start >>> RANGE_PFN_SHIFT;
        long lastCounter = (end - 1) >>> RANGE_PFN_SHIFT;
        int from = (int) (firstCounter / COUNTERS_PER_PAGE);
        int to = (int) (lastCounter / COUNTERS_PER_PAGE);
        for (int page = from; page <= to; page++) {
            if (counterPages[page] != PageAllocator.NONE) {
                continue;
            }
            long pfn = pages.allocate(node, PageUse.REFCOUNTS);
            if (pfn == PageAllocator.NONE) {
                return Errno.ENOMEM;
            }
            counterPages[page] = pfn;
            populated++;
        }
        return Errno.OK;
    }

    @Override
    protected boolean isPopulated(@Pfn long pfn) {
        return counterPages[(int) ((pfn >>> RANGE_PFN_SHIFT) / COUNTERS_PER_PAGE)]
                != PageAllocator.NONE;
    }

    @Override
    public long bytes() {
        return populated * Addresses.PAGE_SIZE;
    }

    @Override
    public void release() {
        for (int page = 0; page < counterPages.length; page++) {
            if (counterPages[page] != PageAllocator.NONE) {
                pages.free(counterPages[page], PageUse.REFCOUNTS);
                counterPages[page] = PageAllocator.NONE;
            }
        }
        populated = 0;
    }
}
