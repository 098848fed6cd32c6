// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.bench;

/**
 * JVM flags of the measured processes: a heap of fixed size, touched beforehand, because a fresh
 * page costs more than many a benchmark (facts: performance sheet section 6).
 */
final class Flags {
    static final String PARALLEL = "-XX:+UseParallelGC";
    static final String PRETOUCH = "-XX:+AlwaysPreTouch";
    static final String UNSAFE = "--sun-misc-unsafe-memory-access=allow";
    static final String MIN_SMALL = "-Xms1g";
    static final String MAX_SMALL = "-Xmx1g";
    static final String MIN_LARGE = "-Xms3g";
    static final String MAX_LARGE = "-Xmx3g";

    /** Garbage of set-ups dies young, mostly before the young generation is full. */
    static final String YOUNG_LARGE = "-Xmn2g";

    private Flags() {}
}
