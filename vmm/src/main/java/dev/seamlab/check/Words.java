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
        return size++;
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
        for (int i = 0; i < oldArrays.length; i++) {
            if (oldStamps[i] == stamp) {
                int slot = slot(oldArrays[i], oldPlaces[i], length - 1);
                while (stamps[slot] == stamp) {
                    slot = (slot + 1) & (length - 1);
                }
                arrays[slot] = oldArrays[i];
                places[slot] = oldPlaces[i];
                ids[slot] = oldIds[i];
                stamps[slot] = stamp;
            }
        }
    }
}
