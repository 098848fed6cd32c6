// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.BitSet;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;

class AttributesTest {
    @Property(tries = 300)
    void set_anyRanges_isWhatABitSetSays(
            @ForAll long seed, @ForAll @IntRange(min = 1, max = 3000) int pages) {
        Random random = new Random(seed);
        Attributes attributes = new Attributes(pages);
        BitSet oracle = new BitSet();
        for (int i = 0; i < 20; i++) {
            int from = random.nextInt(pages);
            int to = from + 1 + random.nextInt(pages - from);
            boolean isPrivate = random.nextBoolean();
            BitSet changed = (BitSet) oracle.clone();
            oracle.set(from, to, isPrivate);
            changed.xor(oracle);
            assertThat(attributes.set(from, to, isPrivate)).isEqualTo(changed.cardinality());
        }
        for (int page = 0; page < pages; page++) {
            assertThat(attributes.isPrivate(page)).isEqualTo(oracle.get(page));
        }
        for (int unit = 0; unit + 512 <= pages; unit += 512) {
            boolean all = oracle.nextClearBit(unit) >= unit + 512;
            assertThat(attributes.isAllPrivate(unit)).isEqualTo(all);
            assertThat(attributes.isUniformlyPrivate(unit) && !all).isFalse();
        }
    }
}
