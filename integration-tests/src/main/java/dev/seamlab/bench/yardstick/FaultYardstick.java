// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.bench.yardstick;

import java.util.Arrays;

/**
 * The least work of a private fault, the same in every design: walk the mirror and freeze the
 * entry; make sure that the range is backed; walk the Secure EPT and lock the entry; lock the
 * page's metadata, write owner and epoch, publish; publish Secure EPT and mirror. What a design
 * adds stands in its class. No ABI, no counters, no allocator: page {@code gfn} of TD {@code t} is
 * host page {@code t * pages + gfn}.
 */
public abstract class FaultYardstick {
    private static final long BUSY = -1;
    private static final long PRESENT = 1;
    private static final int READERS = 8;

    private final int pages;
    private final Tree[] mirrors;
    private final Tree[] septs;
    private final ReaderSlots[] slots;
    private final Ranges ranges;

    FaultYardstick(int tds, int pages) {
        this.pages = pages;
        mirrors = new Tree[tds];
        septs = new Tree[tds];
        slots = new ReaderSlots[tds];
        Arrays.setAll(mirrors, td -> new Tree());
        Arrays.setAll(septs, td -> new Tree());
        Arrays.setAll(slots, td -> new ReaderSlots(READERS));
        ranges = new Ranges(((tds * pages) >>> 9) + 1);
    }

    /** The one with a name: floor, ideal or static. */
    public static FaultYardstick byName(String name, int tds, int pages) {
        return switch (name) {
            case "floor" -> new Floor(tds, pages);
            case "ideal" -> new Ideal(tds, pages);
            case "static" -> new StaticPamt(tds, pages);
            default -> throw new IllegalArgumentException("no yardstick is called " + name);
        };
    }

    final Ranges ranges() {
        return ranges;
    }

    /** Takes the locks of TD and MMU for reading. */
    void enter(ReaderSlots td, int thread) {}

    /** Gives them back. */
    void leave(ReaderSlots td, int thread) {}

    /** Backs a range. */
    void get(int range) {}

    /** Serves one fault; false where the page is mapped already. */
    public final boolean fault(int thread, int td, int gfn) {
        ReaderSlots slot = slots[td];
        enter(slot, thread);
        try {
            long pfn = (long) td * pages + gfn;
            int index = gfn & Tree.MASK;
            long[] mirror = mirrors[td].leaf(gfn);
            if (!Words.cas(mirror, index, 0, BUSY)) {
                return false;
            }
            int range = (int) (pfn >>> 9);
            get(range);
            long[] sept = septs[td].leaf(gfn);
            if (!Words.cas(sept, index, 0, BUSY)) {
                return false;
            }
            long[] metadata = ranges.entries(range);
            int at = ((int) pfn & Tree.MASK) * Ranges.WORDS;
            if (!Words.cas(metadata, at, 0, BUSY)) {
                return false;
            }
            metadata[at + 1] = PRESENT;
            Words.release(metadata, at, td + 1L);
            Words.release(sept, index, (pfn << 12) | PRESENT);
            Words.release(mirror, index, (pfn << 12) | PRESENT);
            return true;
        } finally {
            leave(slot, thread);
        }
    }

    /** Pages mapped in the mirrors whose Secure EPT says the same; looks at all of them. */
    public final long mapped() {
        long count = 0;
        for (int td = 0; td < mirrors.length; td++) {
            for (int gfn = 0; gfn < pages; gfn++) {
                long entry = mirrors[td].leaf(gfn)[gfn & Tree.MASK];
                boolean same = septs[td].leaf(gfn)[gfn & Tree.MASK] == entry;
                count += same && entry == ((((long) td * pages + gfn) << 12) | PRESENT) ? 1 : 0;
            }
        }
        return count;
    }
}
