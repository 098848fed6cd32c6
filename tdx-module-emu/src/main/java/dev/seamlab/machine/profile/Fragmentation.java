// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.machine.profile;

import java.util.List;

/**
 * How scattered the host's free memory is when TDX comes up: a host that has run for a while has
 * pages in use everywhere, so that what TDs get lies in many 2 MiB ranges, and each range in use
 * costs a PAMT page pair.
 *
 * <p>The lowest part of each NUMA node's memory is scattered, the rest is free in one piece. Inside
 * the scattered part, runs of used pages alternate with runs of free pages. The layout follows from
 * the seed. Whole GiBs only: memory around holes stays free.
 *
 * @param seed of the layout
 * @param extentPercent how much of the memory is scattered, 0 to 100
 * @param usedPercent how much of the scattered memory is in use, 0 to 95
 * @param orderWeights how often used runs of 1, 2, 4, ... up to 1024 pages are; at least one weight
 *     above 0
 */
public record Fragmentation(
        long seed, int extentPercent, int usedPercent, List<Integer> orderWeights) {
    /** All memory is free. */
    public static final Fragmentation NONE = new Fragmentation(0, 0, 0, List.of(1));

    private static final int MAX_USED_PERCENT = 95;
    private static final int ORDERS = 11;
    private static final int MAX_WEIGHT = 1_000_000;

    public Fragmentation {
        orderWeights = List.copyOf(orderWeights);
    }

    /** What is wrong with the figures, by field below {@code fragmentation}. */
    void check(List<InvalidProfileException.Violation> bad) {
        require(bad, extentPercent >= 0 && extentPercent <= 100, "extent", "must be 0 to 100");
        require(
                bad,
                usedPercent >= 0 && usedPercent <= MAX_USED_PERCENT,
                "used",
                "must be 0 to " + MAX_USED_PERCENT);
        require(
                bad,
                !orderWeights.isEmpty()
                        && orderWeights.size() <= ORDERS
                        && orderWeights.stream().allMatch(w -> w >= 0 && w <= MAX_WEIGHT)
                        && orderWeights.stream().anyMatch(w -> w > 0),
                "orders",
                "must be 1 to "
                        + ORDERS
                        + " weights of 0 to "
                        + MAX_WEIGHT
                        + ", one of them above 0");
    }

    private static void require(
            List<InvalidProfileException.Violation> bad,
            boolean condition,
            String field,
            String rule) {
        if (!condition) {
            bad.add(new InvalidProfileException.Violation("fragmentation." + field, rule));
        }
    }
}
