// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.check;

import java.util.Arrays;

/**
 * Who moves, step by step. As text: runs of steps by thread, {@code 0x12.1x40.0x3}; replaying it
 * leads to the same end, as long as program, variant and code are the same.
 */
public final class Schedule {
    private final byte[] threads;

    /**
     * @param threads index of the thread that takes each step; not copied
     */
    Schedule(byte[] threads) {
        this.threads = threads;
    }

    /** Index of the thread that takes each step; not to be written. */
    byte[] threads() {
        return threads;
    }

    /** Changes of thread. */
    public int switches() {
        int count = 0;
        for (int i = 1; i < threads.length; i++) {
            count += threads[i] == threads[i - 1] ? 0 : 1;
        }
        return count;
    }

    /**
     * Reads what {@link #toString} wrote.
     *
     * @throws IllegalArgumentException where the text is no schedule
     */
    public static Schedule parse(String text) {
        byte[] steps = new byte[16];
        int size = 0;
        for (String run : text.split("\\.", -1)) {
            String[] parts = run.split("x", -1);
            int count = parts.length == 2 ? number(parts[1], text) : 0;
            int thread = number(parts[0], text);
            if (count <= 0 || count > 1_000_000 || thread > 30) {
                throw bad(text);
            }
            steps = Arrays.copyOf(steps, Math.max(steps.length, size + count));
            Arrays.fill(steps, size, size + count, (byte) thread);
            size += count;
        }
        return new Schedule(Arrays.copyOf(steps, size));
    }

    private static int number(String digits, String text) {
        try {
            return Integer.parseInt(digits);
        } catch (NumberFormatException e) {
            throw bad(text);
        }
    }

    private static IllegalArgumentException bad(String text) {
        return new IllegalArgumentException(
                "\"" + text + "\" is no schedule: write runs of steps such as 0x12.1x40.0x3");
    }

    @Override
    public String toString() {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < threads.length; ) {
            int end = i;
            while (end < threads.length && threads[end] == threads[i]) {
                end++;
            }
            text.append(i == 0 ? "" : ".").append(threads[i]).append('x').append(end - i);
            i = end;
        }
        return text.toString();
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Schedule schedule && Arrays.equals(threads, schedule.threads);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(threads);
    }
}
