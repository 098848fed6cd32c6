// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.guest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.guest.GuestMemory.Range;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.LongRange;
import org.junit.jupiter.api.Test;

class BuiltinProgramsTest {
    @Property(tries = 500)
    void touchAll_anyMemoryAndVcpus_coversEachPageOnce(
            @ForAll @LongRange(min = 1, max = 5000) long low,
            @ForAll @LongRange(min = 1, max = 5000) long high,
            @ForAll @IntRange(min = 1, max = 8) int vcpus) {
        long above = 4L << 30;
        GuestMemory memory =
                new GuestMemory(
                        List.of(new Range(0, low << 12), new Range(above, above + (high << 12))),
                        47,
                        0);
        List<Range> all = new ArrayList<>();
        for (int vcpu = 0; vcpu < vcpus; vcpu++) {
            for (Op op : Builtin.named("touch-all").compile(memory, vcpu, vcpus)) {
                all.add(((Op.Use) op).range());
            }
        }
        all.sort(Comparator.comparingLong(Range::start));
        for (int i = 1; i < all.size(); i++) {
            assertThat(all.get(i).start()).isGreaterThanOrEqualTo(all.get(i - 1).end());
        }
        assertThat(all.stream().mapToLong(Range::pages).sum()).isEqualTo(low + high);
    }

    @Test
    void all_ofThem_sayWhatTheyAreAndParseWithTheirDefaults() {
        assertThat(Builtin.all()).extracting(Builtin.Description::name).isEqualTo(Builtin.NAMES);
        for (Builtin.Description one : Builtin.all()) {
            assertThat(one.purpose()).isNotBlank();
            assertThat(Builtin.named(one.name()).text()).isEqualTo(one.name());
        }
    }

    @Test
    void bootLazy_unit_isThatOfLinuxUnlessAskedOtherwise() {
        assertThat(units("boot-lazy")).containsOnly(4L << 20);
        assertThat(units("boot-lazy unit=2")).containsOnly(2L << 20);
        assertThat(units("boot-lazy unit=7")).as("a power of two").containsOnly(4L << 20);
    }

    private static List<Long> units(String text) {
        GuestMemory memory = new GuestMemory(List.of(new Range(0, 64 << 20)), 47, 0);
        return Workload.parse(text).compile(memory, 0, 1).stream()
                .map(op -> ((Op.Use) op).unit())
                .toList();
    }
}
