// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.sept;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.seam.abi.SeptEntryState;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class SeptEntryTest {
    private static final long PAGE = 0x1_0040_4000L;

    @ParameterizedTest
    @EnumSource
    void withState_everyState_readsBackStateAndAddress(SeptEntryState state) {
        long entry = SeptEntry.withState(SeptEntry.leaf(PAGE, SeptEntryState.MAPPED), state);

        assertThat(SeptEntry.state(entry)).isEqualTo(state);
        assertThat(SeptEntry.is(entry, state)).isTrue();
        assertThat(SeptEntry.hpa(entry)).isEqualTo(PAGE);
    }

    @Test
    void architecturalView_entriesSeenOnTheReference_same() {
        assertThat(SeptEntry.architecturalView(SeptEntry.FREE)).isEqualTo(1L << 63);
        assertThat(SeptEntry.architecturalView(SeptEntry.leaf(PAGE, SeptEntryState.PENDING)))
                .isEqualTo(0x8000_0001_0040_40F0L);
        assertThat(SeptEntry.architecturalView(SeptEntry.leaf(PAGE, SeptEntryState.MAPPED)))
                .isEqualTo(0x8000_0001_0040_44F7L);
        assertThat(SeptEntry.architecturalView(SeptEntry.table(PAGE))).isEqualTo(0x407);
    }

    @Test
    void commit_hostPrioritySetMeanwhile_survives() {
        long[] words = {SeptEntry.FREE};
        SeptEntry.tryLockAsGuest(words, 0);
        SeptEntry.tryLock(words, 0);

        SeptEntry.commit(words, 0, SeptEntry.leaf(PAGE, SeptEntryState.MAPPED));

        assertThat(words[0] & SeptEntry.LOCK).isZero();
        assertThat(words[0] & SeptEntry.HOST_PRIORITY).isNotZero();
    }
}
