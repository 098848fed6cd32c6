// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.pamt;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Pfn;
import java.util.function.BiConsumer;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;

/** Read-only snapshots of the metadata; not part of the ABI, for auditors and tests. */
public final class PamtInspector {
    private final Pamt pamt;

    public PamtInspector(Pamt pamt) {
        this.pamt = pamt;
    }

    /** What the metadata says about a page, or null outside initialised regions. */
    public @Nullable PamtPage page(@Pfn long pfn) {
        return pamt.peek(pfn);
    }

    /** The page pair of a page's range, or null. */
    public @Nullable PamtPair pair(@Pfn long pfn) {
        return pamt.peekPair(pfn);
    }

    /** Visits each range with a page pair: first page frame of the range, pair. */
    public void forEachPair(BiConsumer<Long, PamtPair> visitor) {
        forEachTouchedGib(first -> {
            for (int range = 0; range < Addresses.PAGES_PER_RANGE; range++) {
                @Pfn long pfn = first + (long) range * Addresses.PAGES_PER_RANGE;
                PamtPair pair = pamt.peekPair(pfn);
                if (pair != null) {
                    visitor.accept(pfn, pair);
                }
            }
        });
    }

    /** Visits each 4K page whose entry, at whatever level, is not free. */
    public void forEachUsedPage(BiConsumer<Long, PamtPage> visitor) {
        forEachTouchedGib(first -> {
            for (int page = 0; page < Pamt.PAGES_PER_GIB; page++) {
                PamtPage seen = pamt.peek(first + page);
                if (seen != null && isInUse(seen)) {
                    visitor.accept(first + page, seen);
                }
            }
        });
    }

    /** Number of ranges with a page pair. */
    public long pairs() {
        long[] count = {0};
        forEachPair((pfn, pair) -> count[0]++);
        return count[0];
    }

    private static boolean isInUse(PamtPage page) {
        return switch (page.type()) {
            case NDA, RSVD, PAMT -> false;
            case REG, TDR, TDCX, TDVPR, EPT -> true;
        };
    }

    private void forEachTouchedGib(LongConsumer visitor) {
        for (Tdmr tdmr : pamt.tdmrs()) {
            for (long gib = tdmr.base(); gib < tdmr.end(); gib += Addresses.GIB) {
                @Pfn long first = Addresses.pfn(gib);
                if (pamt.isTouched(first)) {
                    visitor.accept(first);
                }
            }
        }
    }
}
