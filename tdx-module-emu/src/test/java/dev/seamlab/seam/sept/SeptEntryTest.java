// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.sept;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.seam.abi.SeptEntryState;
import dev.seamlab.seam.lock.SharexLock;
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

    @Test
    void lock_whileSomebodyHasIt_isRefused_andTheHostIsNextInTurn() {
        long[] words = {SeptEntry.FREE};
        assertThat(SeptEntry.tryLockAsGuest(words, 0)).isEqualTo(SharexLock.TAKEN);
        assertThat(SeptEntry.tryLockAsGuest(words, 0)).isEqualTo(SharexLock.BUSY);
        // The first refusal marks the entry as wanted, the second finds it marked.
        for (int i = 0; i < 2; i++) {
            assertThat(SeptEntry.tryLock(words, 0)).isFalse();
            assertThat(words[0])
                    .isEqualTo(SeptEntry.FREE | SeptEntry.LOCK | SeptEntry.HOST_PRIORITY);
        }
        SeptEntry.unlock(words, 0);
        assertThat(SeptEntry.tryLockAsGuest(words, 0)).isEqualTo(SharexLock.HOST_PRIORITY_BUSY);
        assertThat(SeptEntry.tryLock(words, 0)).isTrue();
        assertThat(words[0]).isEqualTo(SeptEntry.FREE | SeptEntry.LOCK);
        SeptEntry.unlock(words, 0);
        assertThat(words[0]).isEqualTo(SeptEntry.FREE);
    }

    /** Bits 5:3 are the memory type of what the guest's memory maps, and zero elsewhere. */
    @ParameterizedTest
    @EnumSource
    void withState_everyState_hasAMemoryTypeIffItMapsMemory(SeptEntryState state) {
        long entry = SeptEntry.withState(SeptEntry.leaf(PAGE, SeptEntryState.MAPPED), state);
        boolean memory =
                switch (state) {
                    case FREE, REMOVED, NL_MAPPED, NL_BLOCKED -> false;
                    default -> true;
                };
        assertThat(entry & 0x38).isEqualTo(memory ? 6 << 3 : 0);
    }
}
