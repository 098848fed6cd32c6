// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.pamt;

import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.mem.PageAllocator;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Pfn;
import java.util.ArrayList;
import java.util.List;

/**
 * A counter for every range below the highest RAM, holes included: one zeroed vmalloc array (v4
 * patch 5, v6, merged; facts: Linux sheet section 1.5). It costs 2 MiB per TiB of address space,
 * which is 8 GiB where memory lies at the top of the 52-bit space.
 */
public final class FlatRefcounts extends RangeRefcounts {
    private static final long COUNTERS_PER_PAGE = Addresses.PAGE_SIZE / Integer.BYTES;

    /** Longest contiguous piece asked of the page allocator; vmalloc needs no contiguity. */
    private static final long LONGEST_PIECE = 1L << (Addresses.GIB_SHIFT - Addresses.PAGE_SHIFT);

    private final PageAllocator pages;
    private final List<Piece> pieces = new ArrayList<>();

    private record Piece(@Pfn long first, long pages) {}

    /** Counters for all frames below {@code maxPfn}; costs nothing until {@link #allocate}. */
    public FlatRefcounts(PageAllocator pages, @Pfn long maxPfn) {
        super(maxPfn);
        this.pages = pages;
    }

    /**
     * Takes the array's memory from the host, from any node.
     *
     * @return OK, or ENOMEM, with nothing taken
     */
    public int allocate() {
        long left = (counters(maxPfn()) + COUNTERS_PER_PAGE - 1) / COUNTERS_PER_PAGE;
        long piece = LONGEST_PIECE;
        while (left > 0) {
            long size = Math.min(piece, left);
            long first = pages.allocateRange(0, size, 1, PageUse.REFCOUNTS);
            if (first != PageAllocator.NONE) {
                pieces.add(new Piece(first, size));
                left -= size;
            } else if (piece > 1) {
                piece /= 2;
            } else {
                release();
                return Errno.ENOMEM;
            }
        }
        return Errno.OK;
    }

    @Override
    protected boolean isPopulated(@Pfn long pfn) {
        return !pieces.isEmpty();
    }

    @Override
    public long bytes() {
        long sum = 0;
        for (Piece piece : pieces) {
            sum += piece.pages * Addresses.PAGE_SIZE;
        }
        return sum;
    }

    @Override
    public void release() {
        for (Piece piece : pieces) {
            pages.freeRange(piece.first, piece.pages, PageUse.REFCOUNTS);
        }
        pieces.clear();
    }
}
