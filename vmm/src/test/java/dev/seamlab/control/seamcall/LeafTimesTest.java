// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.seamcall;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.machine.Registers;
import dev.seamlab.seam.abi.Leaf;
import java.util.stream.IntStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.LongRange;
import org.junit.jupiter.api.Test;

class LeafTimesTest {
    private final LeafTimes times = new LeafTimes(2);

    @Property
    void everyTime_fallsIntoTheFirstBucketThatHoldsIt(@ForAll @LongRange(min = 0) long nanos) {
        int bucket = LeafTimes.bucket(nanos);
        assertThat(bucket).isBetween(0, LeafTimes.BUCKETS);
        if (bucket < LeafTimes.BUCKETS) {
            assertThat(nanos).isLessThanOrEqualTo(LeafTimes.end(bucket));
        }
        if (bucket > 0) {
            assertThat(nanos).isGreaterThan(LeafTimes.end(bucket - 1));
        }
    }

    @Test
    void calls_areCountedByLeaf_andAddedUpOverCpus() {
        offer(0, Leaf.SYS_RD, 100);
        offer(1, Leaf.SYS_RD, 100);
        offer(1, Leaf.SYS_RD, 1000);
        offer(1, Leaf.SYS_INIT, 7);
        assertThat(times.count(Leaf.SYS_RD, LeafTimes.bucket(100))).isEqualTo(2);
        assertThat(times.count(Leaf.SYS_RD, LeafTimes.bucket(1000))).isEqualTo(1);
        assertThat(times.sum(Leaf.SYS_RD)).isEqualTo(1200);
        assertThat(all(Leaf.SYS_RD)).isEqualTo(3);
        assertThat(all(Leaf.SYS_INIT)).isEqualTo(1);
        assertThat(all(Leaf.VP_ENTER)).isZero();
    }

    @Test
    void aCallOfNoLeaf_isNotMeasured() {
        Registers regs = new Registers();
        regs.rax(0xFFFF);
        times.offer(0, regs, regs, 0, 10);
        for (Leaf leaf : Leaf.values()) {
            assertThat(all(leaf)).isZero();
        }
    }

    private void offer(int cpu, Leaf leaf, long nanos) {
        Registers regs = new Registers();
        regs.rax(leaf.rax(0));
        times.offer(cpu, regs, regs, 5, 5 + nanos);
    }

    private long all(Leaf leaf) {
        return IntStream.rangeClosed(0, LeafTimes.BUCKETS)
                .mapToLong(bucket -> times.count(leaf, bucket))
                .sum();
    }
}
