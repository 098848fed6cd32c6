// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.lock;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class SharexLockTest {
    private static final long OTHER_BITS = 0xABCD_0000L;

    private final long[] words = {OTHER_BITS};

    @Test
    void tryShare_manyReaders_allGetInAndNobodyElse() {
        assertThat(SharexLock.tryShare(words, 0)).isTrue();
        assertThat(SharexLock.tryShare(words, 0)).isTrue();
        assertThat(SharexLock.tryExclusive(words, 0)).isFalse();
    }

    @Test
    void tryExclusive_owned_refusesEverybody() {
        assertThat(SharexLock.tryExclusive(words, 0)).isTrue();
        assertThat(SharexLock.tryExclusive(words, 0)).isFalse();
        assertThat(SharexLock.tryShare(words, 0)).isFalse();
    }

    @Test
    void release_afterUse_leavesTheOtherBitsAlone() {
        SharexLock.tryShare(words, 0);
        SharexLock.releaseShare(words, 0);
        SharexLock.tryExclusive(words, 0);
        SharexLock.releaseExclusive(words, 0);

        assertThat(words[0]).isEqualTo(OTHER_BITS);
    }

    @Test
    void tryUpgrade_soleReader_becomesOwner() {
        SharexLock.tryShare(words, 0);

        assertThat(SharexLock.tryUpgrade(words, 0)).isTrue();
        assertThat(SharexLock.tryShare(words, 0)).isFalse();
        SharexLock.releaseExclusive(words, 0);
        assertThat(SharexLock.isHeld(words[0])).isFalse();
    }

    @Test
    void tryUpgrade_oneOfTwoReaders_staysReader() {
        SharexLock.tryShare(words, 0);
        SharexLock.tryShare(words, 0);

        assertThat(SharexLock.tryUpgrade(words, 0)).isFalse();
        SharexLock.releaseShare(words, 0);
        SharexLock.releaseShare(words, 0);
        assertThat(SharexLock.isHeld(words[0])).isFalse();
    }

    @Test
    void guest_afterAFailedHostAttempt_waitsUntilTheHostGotIt() {
        assertThat(SharexLock.tryExclusiveAsGuest(words, 0)).isEqualTo(SharexLock.TAKEN);
        assertThat(SharexLock.tryShare(words, 0)).isFalse();
        SharexLock.releaseExclusive(words, 0);

        assertThat(SharexLock.tryShareAsGuest(words, 0)).isEqualTo(SharexLock.HOST_PRIORITY_BUSY);
        assertThat(SharexLock.tryShare(words, 0)).isTrue();
        assertThat(SharexLock.tryShareAsGuest(words, 0)).isEqualTo(SharexLock.TAKEN);
    }

    @Test
    void guest_ownedByAnotherGuest_isBusyWithoutPriority() {
        SharexLock.tryExclusiveAsGuest(words, 0);

        assertThat(SharexLock.tryShareAsGuest(words, 0)).isEqualTo(SharexLock.BUSY);
        assertThat(SharexLock.tryExclusiveAsGuest(words, 0)).isEqualTo(SharexLock.BUSY);
    }
}
