// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.host;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.StatusCode;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;

class SeamcallCountersTest {
    private static final int CPUS = 3;

    @Property(tries = 50)
    void counts_ofRandomCalls_areThoseOfAMap(@ForAll long seed) {
        SeamcallCounters counters = new SeamcallCounters(CPUS);
        Map<Long, Long> oracle = new HashMap<>();
        Random random = new Random(seed);
        for (int i = 0; i < 2_000; i++) {
            int leaf = Leaf.values()[random.nextInt(Leaf.values().length)].number();
            long status = StatusCode.values()[random.nextInt(3)].word() | random.nextInt(200);
            counters.completed(random.nextInt(CPUS), leaf, status);
            oracle.merge(SeamcallCounters.kind(leaf, status), 1L, Long::sum);
        }
        oracle.forEach((kind, count) -> assertThat(counters.count(kind)).isEqualTo(count));
    }

    @Test
    void kinds_beyondAllPlaces_areCountedAsOther() {
        SeamcallCounters counters = new SeamcallCounters(1);
        Set<Long> kinds = new TreeSet<>();
        counters.onKind(kinds::add);
        int calls = 5_000;
        for (int leaf = 0; leaf < calls; leaf++) {
            counters.completed(0, leaf, 0);
        }
        assertThat(kinds).contains((long) SeamcallCounters.OTHER);
        assertThat(kinds.stream().mapToLong(counters::count).sum()).isEqualTo(calls);
    }

    @Test
    void listener_thatComesLate_hearsOfEarlierKinds() {
        SeamcallCounters counters = new SeamcallCounters(1);
        counters.completed(0, Leaf.VP_ENTER.number(), 0);
        Set<Long> kinds = new TreeSet<>();
        counters.onKind(kinds::add);
        assertThat(kinds).containsExactly(SeamcallCounters.kind(Leaf.VP_ENTER.number(), 0));
        assertThat(counters.count(kinds.iterator().next())).isEqualTo(1);
    }
}
