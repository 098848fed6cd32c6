// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.host.tdh.PairListener;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Pfn;
import dev.seamlab.machine.sched.Cells;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/**
 * Who first needed the PAMT page pair of each 2 MiB range, and for what kind of page. The pair
 * stays in that account until the module gives it back, even where other TDs use the range
 * meanwhile.
 *
 * <p>A word per range, written by the CPU that has just installed or removed the pair, which the
 * PAMT lock makes one at a time. The words appear per GiB of host memory.
 */
public final class PairLedger implements PairListener {
    /** Owner of a CPU that works for no VM. */
    public static final int NOBODY = 0;

    /** Receives one backed range. */
    @FunctionalInterface
    public interface Visitor {
        void pair(@Pfn long firstPfn, int owner, PageUse cause);
    }

    private static final PageUse[] USES = PageUse.values();
    private static final int USE_BITS = 8;
    private static final long BACKED = 1L << 63;
    private static final int GIB_PFN_SHIFT = Addresses.GIB_SHIFT - Addresses.PAGE_SHIFT;
    private static final int RANGES_PER_GIB = 1 << (Addresses.GIB_SHIFT - Addresses.RANGE_SHIFT);
    private static final int FIRST = 8;
    private static final int STRIDE = 16;

    private final AtomicReferenceArray<long @Nullable []> gibs;

    /** For whom and what each CPU works, as in a ledger word; written by its claimant. */
    private final int[] working;

    /**
     * @param memoryEnd first address after the highest RAM
     */
    public PairLedger(long memoryEnd, int cpus) {
        this.gibs = new AtomicReferenceArray<>((int) ((memoryEnd >>> Addresses.GIB_SHIFT) + 1));
        this.working = new int[(cpus + 1) * STRIDE];
    }

    /** From now on a claimed CPU works for a VM, on pages of a kind. */
    void worksFor(HostCpu cpu, int owner, PageUse cause) {
        Cells.release(working, (cpu.index() + 1) * STRIDE, owner << USE_BITS | cause.ordinal());
    }

    /** For which VM the claimant of a CPU works at the moment, or {@link #NOBODY}. */
    public int workingFor(int cpu) {
        return Cells.acquire(working, (cpu + 1) * STRIDE) >>> USE_BITS;
    }

    @Override
    public void added(HostCpu cpu, @Pfn long pfn) {
        // The caller says what it works on, because asking the page allocator would take its lock
        // after the PAMT lock.
        long ownerAndCause = Cells.acquire(working, (cpu.index() + 1) * STRIDE);
        Cells.release(words(pfn), at(pfn), BACKED | ownerAndCause);
    }

    @Override
    public void removed(HostCpu cpu, @Pfn long pfn) {
        Cells.release(words(pfn), at(pfn), 0);
    }

    /** Shows every backed range. */
    public void forEach(Visitor visitor) {
        for (int g = 0; g < gibs.length(); g++) {
            long[] words = gibs.getAcquire(g);
            for (int r = 0; words != null && r < RANGES_PER_GIB; r++) {
                long word = Cells.acquire(words, FIRST + r);
                if (word != 0) {
                    visitor.pair(
                            ((long) g << GIB_PFN_SHIFT) + ((long) r << 9),
                            (int) (word >>> USE_BITS),
                            USES[(int) word & ((1 << USE_BITS) - 1)]);
                }
            }
        }
    }

    private long[] words(@Pfn long pfn) {
        int g = (int) (pfn >>> GIB_PFN_SHIFT);
        long[] words = gibs.getAcquire(g);
        if (words != null) {
            return words;
        }
        long[] fresh = new long[FIRST + RANGES_PER_GIB];
        long[] seen = gibs.compareAndExchange(g, null, fresh);
        return seen == null ? fresh : seen;
    }

    private static int at(@Pfn long pfn) {
        return FIRST + (Addresses.rangeOf(pfn) & (RANGES_PER_GIB - 1));
    }
}
