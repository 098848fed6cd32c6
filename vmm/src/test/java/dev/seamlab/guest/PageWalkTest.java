// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.guest;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.LongRange;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PageWalkTest {
    private static final int DRAWS = 200_000;

    @Property(tries = 300)
    void next_anyPagesSkewAndSeed_staysInTheRange(
            @ForAll @LongRange(min = 1, max = 1L << 28) long pages,
            @ForAll @IntRange(min = 0, max = 400) int skew,
            @ForAll long seed) {
        PageWalk walk = new PageWalk(pages, skew, seed);
        PageWalk again = new PageWalk(pages, skew, seed);
        for (int i = 0; i < 200; i++) {
            long page = walk.next();
            assertThat(page).isBetween(0L, pages - 1);
            assertThat(again.next()).isEqualTo(page);
        }
    }

    @Test
    void uniform_manyDraws_treatsAllPagesAlike() {
        long[] counts = counts(100, 0);
        // Mean 2000, standard deviation 44: six of them either way.
        assertThat(Arrays.stream(counts).min().orElseThrow()).isGreaterThan(2000 - 270);
        assertThat(Arrays.stream(counts).max().orElseThrow()).isLessThan(2000 + 270);
    }

    @ParameterizedTest
    @ValueSource(ints = {50, 99, 100, 150, 300})
    void zipf_manyDraws_followsTheLaw(int skew) {
        int pages = 50;
        long[] counts = counts(pages, skew);
        Arrays.sort(counts);
        double norm = 0;
        for (int rank = 1; rank <= pages; rank++) {
            norm += Math.pow(rank, -skew / 100.0);
        }
        for (int rank = 1; rank <= 5; rank++) {
            double expected = DRAWS * Math.pow(rank, -skew / 100.0) / norm;
            double six = 6 * Math.sqrt(expected) + 1;
            assertThat((double) counts[pages - rank]).isBetween(expected - six, expected + six);
        }
    }

    @Test
    void zipf_ofEveryRank_reachesEveryPage() {
        long[] counts = counts(64, 1);
        assertThat(counts).doesNotContain(0);
    }

    private static long[] counts(int pages, int skew) {
        PageWalk walk = new PageWalk(pages, skew, 42);
        long[] counts = new long[pages];
        for (int i = 0; i < DRAWS; i++) {
            counts[(int) walk.next()]++;
        }
        return counts;
    }
}
