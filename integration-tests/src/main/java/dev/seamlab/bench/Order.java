// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.bench;

import java.util.Random;

/** In which order a guest touches its pages. */
enum Order {
    /** Ascending. */
    IN_ORDER,
    /** All pages, shuffled with a fixed seed. */
    RANDOM;

    private static final long SEED = 42;

    static Order byName(String name) {
        return switch (name) {
            case "in-order" -> IN_ORDER;
            case "random" -> RANDOM;
            default -> throw new IllegalArgumentException("no order is called " + name);
        };
    }

    /** Each page below {@code pages} once. */
    int[] of(int pages) {
        int[] order = new int[pages];
        for (int i = 0; i < pages; i++) {
            order[i] = i;
        }
        if (this == RANDOM) {
            Random random = new Random(SEED);
            for (int i = pages - 1; i > 0; i--) {
                int j = random.nextInt(i + 1);
                int page = order[i];
                order[i] = order[j];
                order[j] = page;
            }
        }
        return order;
    }
}
