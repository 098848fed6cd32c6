// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.bench.yardstick;

/** A reader lock with a line for each reader; there is never a writer, but readers look for one. */
final class ReaderSlots {
    private static final int STRIDE = 64;
    private static final int WRITER = STRIDE / 2;

    private final int[] words;

    ReaderSlots(int readers) {
        words = new int[(readers + 1) * STRIDE];
    }

    void enter(int reader) {
        Words.volatileWrite(words, (reader + 1) * STRIDE, 1);
        if (Words.volatileRead(words, WRITER) != 0) {
            throw new IllegalStateException("a yardstick has no writers");
        }
    }

    void leave(int reader) {
        Words.release(words, (reader + 1) * STRIDE, 0);
    }
}
