// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.check;

import java.util.Arrays;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.Set;

/**
 * Which step of the present schedule used each word last, and how; words go by number, see {@link
 * Words}. Can go back to what stood before any step of it, for schedules that begin alike.
 */
final class LastUses {
    /** Nobody has, in this schedule. */
    static final int NONE = -1;

    private static final int WRITTEN = 0;
    private static final int TAKEN = 1;
    private static final int READ = 2;

    private final int threads;
    private final Words words = new Words();
    private final Set<Object> arrays = Collections.newSetFromMap(new IdentityHashMap<>());

    // By word; reads by word and thread.
    private int[] written = new int[1024];
    private int[] taken = new int[1024];
    private int[] read;
    private int known;

    // What the tables held before each change.
    private int[] keys = new int[4096];
    private int[] values = new int[4096];
    private int changes;

    // By step: how many changes and words there were before it.
    private int[] changesAt = new int[1024];
    private int[] wordsAt = new int[1024];

    LastUses(int threads) {
        this.threads = threads;
        this.read = new int[1024 * threads];
    }

    /** Nothing has happened yet. */
    void clear() {
        changes = 0;
        words.clear();
        known = 0;
    }

    /** Number of a word; one that is new was used by nobody. */
    int number(Object array, int place) {
        int id = words.id(array, place);
        if (id >= known) {
            arrays.add(array);
            if (id >= written.length) {
                written = Arrays.copyOf(written, 2 * id);
                taken = Arrays.copyOf(taken, 2 * id);
                read = Arrays.copyOf(read, 2 * id * threads);
            }
            written[id] = NONE;
            taken[id] = NONE;
            Arrays.fill(read, id * threads, id * threads + threads, NONE);
            known = id + 1;
        }
        return id;
    }

    /** Arrays that had a number in any schedule so far. */
    int arraysEverSeen() {
        return arrays.size();
    }

    /** What is new from here on is due to a step or comes after it. */
    void begins(int step) {
        if (step >= wordsAt.length) {
            wordsAt = Arrays.copyOf(wordsAt, 2 * step);
            changesAt = Arrays.copyOf(changesAt, 2 * step);
        }
        wordsAt[step] = words.size();
    }

    /** What changes from here on is due to a step or comes after it. */
    void ends(int step) {
        changesAt[step] = changes;
    }

    /** All is as it was before a step ended; words that came with it are unknown. */
    void rewind(int step) {
        for (int keep = changesAt[step]; changes > keep; ) {
            changes--;
            table(keys[changes] & 3)[keys[changes] >>> 2] = values[changes];
        }
        words.truncate(wordsAt[step]);
        known = wordsAt[step];
    }

    /** Step that wrote a word last. */
    int written(int id) {
        return written[id];
    }

    /** Step that took a lock last. */
    int taken(int id) {
        return taken[id];
    }

    /** Last step of a thread that read a word since it was written. */
    int read(int id, int thread) {
        return read[id * threads + thread];
    }

    /** A step writes a word: who read it before is before everybody after it. */
    void writes(int id, int step) {
        set(WRITTEN, id, step);
        for (int thread = 0; thread < threads; thread++) {
            set(READ, id * threads + thread, NONE);
        }
    }

    /** A step takes a lock. */
    void takes(int id, int step) {
        set(TAKEN, id, step);
    }

    /** A step of a thread reads a word. */
    void reads(int id, int thread, int step) {
        set(READ, id * threads + thread, step);
    }

    private int[] table(int number) {
        return switch (number) {
            case WRITTEN -> written;
            case TAKEN -> taken;
            default -> read;
        };
    }

    private void set(int number, int index, int value) {
        int[] table = table(number);
        if (table[index] == value) {
            return;
        }
        if (changes == keys.length) {
            keys = Arrays.copyOf(keys, 2 * changes);
            values = Arrays.copyOf(values, 2 * changes);
        }
        keys[changes] = index << 2 | number;
        values[changes++] = table[index];
        table[index] = value;
    }
}
