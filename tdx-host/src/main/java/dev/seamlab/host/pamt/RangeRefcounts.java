// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.pamt;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Pfn;
import dev.seamlab.machine.sched.Cells;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/**
 * One counter per 2 MiB range: how many of its 4K pages are in TDX use now. What a variant decides
 * is which counters exist and what they cost the host ({@link #bytes}); asking for one that does
 * not exist faults in the kernel and raises here.
 *
 * <p>The words behind the counters appear per GiB at the first use, one cache line each, so that
 * TDs that work in neighbouring ranges do not slow each other down. That is storage of the emulator
 * and has nothing to do with the modelled cost of four bytes per range.
 */
public abstract class RangeRefcounts {
    private static final int GIB_PFN_SHIFT = Addresses.GIB_SHIFT - Addresses.PAGE_SHIFT;
    private static final int RANGE_PFN_SHIFT = Addresses.RANGE_SHIFT - Addresses.PAGE_SHIFT;
    private static final int RANGES_PER_GIB = 1 << (Addresses.GIB_SHIFT - Addresses.RANGE_SHIFT);
    private static final int STRIDE = 16;
    private static final int WORDS_PER_GIB = STRIDE * (RANGES_PER_GIB + 1);

    private final @Pfn long maxPfn;
    private final AtomicReferenceArray<int @Nullable []> gibs;

    /**
     * @param maxPfn first page frame after the highest RAM
     */
    protected RangeRefcounts(@Pfn long maxPfn) {
        this.maxPfn = maxPfn;
        long pages = 1L << GIB_PFN_SHIFT;
        this.gibs = new AtomicReferenceArray<>((int) ((maxPfn + pages - 1) >>> GIB_PFN_SHIFT));
    }

    /**
     * Counters that cover all frames below {@code maxPfn}: rounded up, or the last is lost.
     */
    static long counters(@Pfn long maxPfn) {
        return (maxPfn + Addresses.PAGES_PER_RANGE - 1) >>> RANGE_PFN_SHIFT;
    }

    /** Whether the counter of a page's range exists. */
    protected abstract boolean isPopulated(@Pfn long pfn);

    /** Host memory that the counters occupy, in bytes. */
    public abstract long bytes();

    /**
     * Heap of the emulator that the words behind the counters take, in bytes: 32 KiB for each GiB
     * whose counters were ever used. Not what the modelled host pays, which is {@link #bytes}.
     */
    public final long heapBytes() {
        long sum = 0;
        for (int g = 0; g < gibs.length(); g++) {
            sum += gibs.getAcquire(g) == null ? 0 : (long) Integer.BYTES * WORDS_PER_GIB;
        }
        return sum;
    }

    /** Gives the counters' memory back to the host. */
    public abstract void release();

    /** First frame that has no counter. */
    public final @Pfn long maxPfn() {
        return maxPfn;
    }

    /** Current count of a page's range. */
    public final int read(@Pfn long pfn) {
        return Cells.acquire(words(pfn), at(pfn));
    }

    /** Adds one unless the count is zero. Returns whether it did. */
    public final boolean incNotZero(@Pfn long pfn) {
        return Cells.incNotZero(words(pfn), at(pfn));
    }

    /** Adds one. */
    public final void increment(@Pfn long pfn) {
        Cells.getAndAdd(words(pfn), at(pfn), 1);
    }

    /** Subtracts one if the count is above one. Returns whether it did. */
    public boolean decAboveOne(@Pfn long pfn) {
        return Cells.decAboveOne(words(pfn), at(pfn));
    }

    /** Subtracts one and returns the new count. Raises below zero: a put without a get. */
    public int decrement(@Pfn long pfn) {
        int before = Cells.getAndAdd(words(pfn), at(pfn), -1);
        if (before <= 0) {
            throw new IllegalStateException(
                    "put without get: the refcount of "
                            + Addresses.show(Addresses.hpa(pfn))
                            + " was "
                            + before);
        }
        return before - 1;
    }

    /** Sets the count. The caller holds the PAMT lock and knows that nobody counts meanwhile. */
    public final void set(@Pfn long pfn, int count) {
        Cells.release(words(pfn), at(pfn), count);
    }

    /** Receives the count of one range. */
    @FunctionalInterface
    public interface CountVisitor {
        void count(@Pfn long firstPfn, int count);
    }

    /** Shows each count that has ever been above zero and may still be. */
    public final void forEachTouched(CountVisitor visitor) {
        for (int g = 0; g < gibs.length(); g++) {
            int[] words = gibs.getAcquire(g);
            for (int r = 0; words != null && r < RANGES_PER_GIB; r++) {
                long pfn = ((long) g << GIB_PFN_SHIFT) + ((long) r << RANGE_PFN_SHIFT);
                visitor.count(pfn, Cells.acquire(words, at(pfn)));
            }
        }
    }

    private int[] words(@Pfn long pfn) {
        // A frame beyond the array raises as well, by the array's own check.
        int[] words = gibs.getAcquire((int) (pfn >>> GIB_PFN_SHIFT));
        if (words == null || pfn >= maxPfn) {
            return materialise(pfn);
        }
        return words;
    }

    private int[] materialise(@Pfn long pfn) {
        if (pfn >= maxPfn || !isPopulated(pfn)) {
            throw new IllegalStateException(
                    "no refcount exists for " + Addresses.show(Addresses.hpa(pfn)));
        }
        int[] fresh = new int[WORDS_PER_GIB];
        int[] seen = gibs.compareAndExchange((int) (pfn >>> GIB_PFN_SHIFT), null, fresh);
        return seen == null ? fresh : seen;
    }

    private static int at(@Pfn long pfn) {
        // The first line holds the array's length, which every bounds check reads.
        return STRIDE * (1 + ((int) (pfn >>> RANGE_PFN_SHIFT) & (RANGES_PER_GIB - 1)));
    }
}
