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

    /** Pairs that each CPU installed, and behind it pairs that it removed; by its claimant. */
    private final long[] counted;

    /** What the books say of one backed range. */
    public record Pair(int owner, PageUse cause) {}

    /**
     * @param memoryEnd first address after the highest RAM
     */
    public PairLedger(long memoryEnd, int cpus) {
        this.gibs = new AtomicReferenceArray<>((int) ((memoryEnd >>> Addresses.GIB_SHIFT) + 1));
        this.working = new int[(cpus + 1) * STRIDE];
        this.counted = new long[(cpus + 1) * STRIDE];
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
        count(cpu, 0);
    }

    @Override
    public void removed(HostCpu cpu, @Pfn long pfn) {
        Cells.release(words(pfn), at(pfn), 0);
        count(cpu, 1);
    }

    private void count(HostCpu cpu, int what) {
        int at = (cpu.index() + 1) * STRIDE + what;
        Cells.release(counted, at, counted[at] + 1);
    }

    /** Pairs installed since the host started. */
    public long installed() {
        return sum(0);
    }

    /** Pairs taken back since the host started. */
    public long removed() {
        return sum(1);
    }

    private long sum(int what) {
        long sum = 0;
        for (int at = STRIDE + what; at < counted.length; at += STRIDE) {
            sum += Cells.acquire(counted, at);
        }
        return sum;
    }

    /** The books on the range of a page, or null where it has no pair. */
    public @Nullable Pair pairOf(@Pfn long pfn) {
        int g = (int) (pfn >>> GIB_PFN_SHIFT);
        long[] words = g < gibs.length() ? gibs.getAcquire(g) : null;
        long word = words == null ? 0 : Cells.acquire(words, at(pfn));
        return word == 0 ? null : new Pair(owner(word), cause(word));
    }

    /** First page of the first backed range at or after the range of a page; -1 where none is. */
    public @Pfn long nextBacked(@Pfn long from) {
        int first = Addresses.rangeOf(from);
        for (int g = (int) (from >>> GIB_PFN_SHIFT); g < gibs.length(); g++) {
            long[] words = gibs.getAcquire(g);
            int begin = Math.max(0, first - g * RANGES_PER_GIB);
            for (int r = begin; words != null && r < RANGES_PER_GIB; r++) {
                if (Cells.acquire(words, FIRST + r) != 0) {
                    return ((long) g << GIB_PFN_SHIFT) + ((long) r << 9);
                }
            }
        }
        return -1;
    }

    private static int owner(long word) {
        return (int) (word >>> USE_BITS);
    }

    private static PageUse cause(long word) {
        return USES[(int) word & ((1 << USE_BITS) - 1)];
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
                            owner(word),
                            cause(word));
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
