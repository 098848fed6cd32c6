// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.seamcall;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.machine.sched.TimeBuckets;
import dev.seamlab.seam.abi.Leaf;
import java.lang.management.ManagementFactory;
import java.util.EnumMap;
import java.util.Map;
import java.util.Random;
import java.util.stream.LongStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;

class LeafTimesTest {
    private static final int CPUS = 3;
    private static final int NO_LEAF = 0xFFFF;

    private final LeafTimes times = new LeafTimes(CPUS);

    @Property(tries = 50)
    void bucketsAndSums_ofRandomCalls_areThoseOfAMap(@ForAll long seed) {
        LeafTimes measured = new LeafTimes(CPUS);
        Map<Leaf, long[]> oracle = new EnumMap<>(Leaf.class);
        Map<Leaf, Long> sums = new EnumMap<>(Leaf.class);
        Random random = new Random(seed);
        for (int i = 0; i < 1_000; i++) {
            Leaf leaf = Leaf.values()[random.nextInt(Leaf.values().length)];
            long nanos = random.nextLong() >>> (1 + random.nextInt(62));
            measured.took(random.nextInt(CPUS), leaf.rax(random.nextInt(2)), nanos);
            oracle.computeIfAbsent(leaf, _ -> new long[TimeBuckets.COUNT])[TimeBuckets.of(nanos)]++;
            sums.merge(leaf, nanos, Long::sum);
        }
        for (Leaf leaf : Leaf.values()) {
            assertThat(measured.buckets(leaf))
                    .isEqualTo(oracle.getOrDefault(leaf, new long[TimeBuckets.COUNT]));
            assertThat(measured.sumNanos(leaf)).isEqualTo(sums.getOrDefault(leaf, 0L));
        }
    }

    @Test
    void aCallOfNoLeaf_isNotMeasured() {
        times.took(0, NO_LEAF, 10);
        for (Leaf leaf : Leaf.values()) {
            assertThat(LongStream.of(times.buckets(leaf)).sum()).isZero();
        }
    }

    @Test
    void measuring_onceACpuHasItsTable_allocatesNothing() {
        var threads = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
        times.took(1, Leaf.VP_ENTER.rax(0), 1);
        for (int warm = 0; warm < 2; warm++) {
            long before = threads.getCurrentThreadAllocatedBytes();
            for (int i = 0; i < 10_000; i++) {
                times.took(1, Leaf.VP_ENTER.rax(0), i);
            }
            long allocated = threads.getCurrentThreadAllocatedBytes() - before;
            if (warm == 1) {
                // A byte a call would be 10,000; the JVM's own odds and ends are far below.
                assertThat(allocated).isLessThan(10_000);
            }
        }
    }
}
