// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.pamt;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.machine.Addresses;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

/** Whose storage comes back, and that it comes back empty. */
class SpareEntriesTest {
    private static final long RANGE = Addresses.RANGE_SIZE;
    private static final long FIRST = 4 * Addresses.GIB;

    /** The next range that shares the place of the first. */
    private static final long RIVAL = FIRST + 256 * RANGE;

    private final SpareEntries spares = new SpareEntries();

    private long[] used(long hpa) {
        long[] entries = spares.take(hpa);
        assertThat(entries).hasSize(PamtEntry.WORDS * 512).containsOnly(0);
        Arrays.fill(entries, -1);
        return entries;
    }

    @Test
    void range_getsItsOwnAgain_cleared_andOnlyOnce() {
        long[] mine = used(FIRST);
        spares.giveBack(FIRST + 9 * Addresses.PAGE_SIZE, mine);
        long[] again = spares.take(FIRST + 511 * Addresses.PAGE_SIZE);
        assertThat(again).isSameAs(mine).containsOnly(0);
        assertThat(used(FIRST)).isNotSameAs(mine);
    }

    @Test
    void otherRange_getsFreshOnes_beItsNeighbourOrOneOfTheSamePlace() {
        long[] mine = used(FIRST);
        spares.giveBack(FIRST, mine);
        assertThat(used(FIRST + RANGE)).isNotSameAs(mine);
        assertThat(used(RIVAL)).isNotSameAs(mine);
        assertThat(spares.take(FIRST)).isSameAs(mine);
    }

    @Test
    void samePlace_theLastOneGivenBackStays() {
        long[] mine = used(FIRST);
        long[] rivals = used(RIVAL);
        spares.giveBack(FIRST, mine);
        spares.giveBack(RIVAL, rivals);
        assertThat(used(FIRST)).isNotSameAs(mine).isNotSameAs(rivals);
        assertThat(spares.take(RIVAL)).isSameAs(rivals).containsOnly(0);
    }
}
