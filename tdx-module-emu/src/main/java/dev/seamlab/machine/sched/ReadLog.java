// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.machine.sched;

import java.util.Arrays;

/** Which words somebody looked at. */
final class ReadLog {
    private Object[] arrays = new Object[4];
    private int[] places = new int[4];
    private int size;

    void clear() {
        size = 0;
    }

    void note(Object array, int place) {
        if (size == arrays.length) {
            arrays = Arrays.copyOf(arrays, 2 * size);
            places = Arrays.copyOf(places, 2 * size);
        }
        arrays[size] = array;
        places[size++] = place;
    }

    int size() {
        return size;
    }

    Object array(int i) {
        return arrays[i];
    }

    int place(int i) {
        return places[i];
    }
}
