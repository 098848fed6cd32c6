// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.guest;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/** How far a program has come. Written by the vCPU's thread alone, read by any; only grows. */
public final class GuestProgress {
    private static final VarHandle WORDS = MethodHandles.arrayElementVarHandle(long[].class);
    private static final int OPERATIONS = 8;
    private static final int ACCEPTED = 9;
    private static final int FINISHED = 10;

    private final long[] words = new long[24];

    GuestProgress() {}

    void operations(long delta) {
        add(OPERATIONS, delta);
    }

    void accepted(long pages) {
        add(ACCEPTED, pages);
    }

    void finish() {
        WORDS.setOpaque(words, FINISHED, 1L);
    }

    /** Operations completed; each page of a range operation counts. */
    public long operations() {
        return (long) WORDS.getOpaque(words, OPERATIONS);
    }

    /** 4K pages that this vCPU accepted. */
    public long pagesAccepted() {
        return (long) WORDS.getOpaque(words, ACCEPTED);
    }

    /** Whether the program has come to its end. */
    public boolean isFinished() {
        return (long) WORDS.getOpaque(words, FINISHED) != 0;
    }

    private void add(int at, long delta) {
        WORDS.setOpaque(words, at, (long) WORDS.getOpaque(words, at) + delta);
    }
}
