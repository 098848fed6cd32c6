// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.check;

import java.util.Arrays;

/**
 * Numbers the words that one run touches, in the order of their first use: equal beginnings of two
 * runs give equal numbers, also where the second works on new objects.
 */
@SuppressWarnings("ReferenceEquality") // a word is a place in one certain array
final class Words {
    private Object[] arrays = new Object[1024];
    private int[] places = new int[1024];
    private int[] ids = new int[1024];
    private int[] stamps = new int[1024];

    /** Place in the table, by number. */
    private int[] slots = new int[1024];

    private int stamp;
    private int size;

    void clear() {
        stamp++;
        size = 0;
    }

    /** Number of a word; a new word gets the next number. */
    int id(Object array, int place) {
        if (2 * size > arrays.length) {
            grow();
        }
        int mask = arrays.length - 1;
        int slot = slot(array, place, mask);
        while (stamps[slot] == stamp) {
            if (arrays[slot] == array && places[slot] == place) {
                return ids[slot];
            }
            slot = (slot + 1) & mask;
        }
        arrays[slot] = array;
        places[slot] = place;
        ids[slot] = size;
        stamps[slot] = stamp;
        if (size == slots.length) {
            slots = Arrays.copyOf(slots, 2 * size);
        }
        slots[size] = slot;
        return size++;
    }

    /** Forgets the words with the highest numbers, until so many are left. */
    void truncate(int keep) {
        // Last in, first out, so no probe for an older word passes a gap.
        while (size > keep) {
            stamps[slots[--size]] = stamp - 1;
        }
    }

    int size() {
        return size;
    }

    private static int slot(Object array, int place, int mask) {
        int hash = (System.identityHashCode(array) * 31 + place) * 0x9E3779B9;
        return (hash >>> 7) & mask;
    }

    private void grow() {
        Object[] oldArrays = arrays;
        int[] oldPlaces = places;
        int[] oldIds = ids;
        int[] oldStamps = stamps;
        int length = 2 * oldArrays.length;
        arrays = new Object[length];
        places = new int[length];
        ids = new int[length];
        stamps = new int[length];
        Arrays.fill(stamps, stamp - 1);
        // In the order of their numbers, so that they can be forgotten in reverse.
        for (int id = 0; id < size; id++) {
            int i = slots[id];
            if (oldStamps[i] == stamp) {
                int slot = slot(oldArrays[i], oldPlaces[i], length - 1);
                while (stamps[slot] == stamp) {
                    slot = (slot + 1) & (length - 1);
                }
                arrays[slot] = oldArrays[i];
                places[slot] = oldPlaces[i];
                ids[slot] = oldIds[i];
                stamps[slot] = stamp;
                slots[id] = slot;
            }
        }
    }
}
