// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Pfn;
import dev.seamlab.machine.sched.Cells;

/**
 * The frame numbers of 512 guest pages, each changed by compare-and-set. Four bytes each where the
 * host's RAM ends below 16 TiB, because they are most of what a page costs outside the module.
 */
sealed interface FrameWords {
    /** First page frame that does not fit into {@link Narrow}. */
    @Pfn long NARROW_LIMIT = 1L << 32;

    /** The frame at an index. */
    @Pfn
    long get(int index);

    /** Replaces a frame if it is this one. */
    boolean cas(int index, @Pfn long expected, @Pfn long next);

    /** 512 words, all 0. */
    static FrameWords create(boolean narrow) {
        return narrow ? new Narrow() : new Wide();
    }

    /** Frames below 2<sup>32</sup>. */
    final class Narrow implements FrameWords {
        /** Bounds checks read the array's length in the first cache line. */
        private static final int FIRST = 12;

        private final int[] words = new int[FIRST + Addresses.PAGES_PER_RANGE];

        @Override
        public @Pfn long get(int index) {
            return Integer.toUnsignedLong(Cells.acquire(words, FIRST + index));
        }

        @Override
        public boolean cas(int index, @Pfn long expected, @Pfn long next) {
            return Cells.cas(words, FIRST + index, (int) expected, (int) next);
        }
    }

    /** Any frame. */
    final class Wide implements FrameWords {
        private static final int FIRST = 8;

        private final long[] words = new long[FIRST + Addresses.PAGES_PER_RANGE];

        @Override
        public @Pfn long get(int index) {
            return Cells.acquire(words, FIRST + index);
        }

        @Override
        public boolean cas(int index, @Pfn long expected, @Pfn long next) {
            return Cells.cas(words, FIRST + index, expected, next);
        }
    }
}
