// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.machine.sched;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class CellsTest {
    private final int[] words = new int[4];

    @Test
    void incNotZero_atZero_leavesZero() {
        assertThat(Cells.incNotZero(words, 1)).isFalse();
        assertThat(words).containsOnly(0);
    }

    @Test
    void incNotZero_aboveZero_addsOneThere() {
        words[1] = 7;
        assertThat(Cells.incNotZero(words, 1)).isTrue();
        assertThat(words).containsExactly(0, 8, 0, 0);
    }

    @Test
    void decAboveOne_atOne_leavesOneToTheLockHolder() {
        words[2] = 1;
        assertThat(Cells.decAboveOne(words, 2)).isFalse();
        assertThat(words[2]).isEqualTo(1);
        words[2] = 2;
        assertThat(Cells.decAboveOne(words, 2)).isTrue();
        assertThat(words[2]).isEqualTo(1);
    }

    @Test
    void bitOperations_returnTheValueBefore() {
        long[] longs = new long[2];
        assertThat(Cells.getAndSetBits(longs, 1, 0b110)).isZero();
        assertThat(Cells.getAndClearBits(longs, 1, 0b010)).isEqualTo(0b110);
        assertThat(longs[1]).isEqualTo(0b100);
    }
}
