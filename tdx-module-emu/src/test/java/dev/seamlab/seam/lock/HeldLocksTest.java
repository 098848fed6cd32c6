// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.lock;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class HeldLocksTest {
    private static final long FREE = SharexLock.SLOTTED | 0xAB00_0000L;

    private final long[] words = {FREE, FREE, 0};
    private final HeldLocks[] cpus = HeldLocks.ofCpus(2);

    @Test
    void share_slotted_leavesTheWordAloneAndKeepsOwnersOut() {
        assertThat(cpus[0].share(words, 0)).isTrue();
        assertThat(cpus[1].share(words, 0)).isTrue();
        assertThat(words[0]).isEqualTo(FREE);

        cpus[1].releaseAll();
        assertThat(cpus[1].exclusive(words, 0)).isFalse();
        assertThat(cpus[1].exclusive(words, 1)).isTrue();
    }

    @Test
    void exclusive_afterTheReadersLeft_keepsReadersOutUntilReleased() {
        cpus[0].share(words, 0);
        cpus[0].releaseAll();

        assertThat(cpus[1].exclusive(words, 0)).isTrue();
        assertThat(cpus[0].share(words, 0)).isFalse();
        assertThat(cpus[0].exclusive(words, 0)).isFalse();
        cpus[1].releaseAll();
        assertThat(cpus[0].share(words, 0)).isTrue();
    }

    @Test
    void exclusive_sharedByTheSameCall_isBusy() {
        cpus[0].share(words, 0);

        assertThat(cpus[0].exclusive(words, 0)).isFalse();
    }

    @Test
    void upgradeLast_soleReader_owns_andOneOfTwoStaysReader() {
        cpus[0].share(words, 0);
        cpus[1].share(words, 0);
        assertThat(cpus[0].upgradeLast()).isFalse();

        cpus[1].releaseAll();
        assertThat(cpus[0].upgradeLast()).isTrue();
        assertThat(cpus[1].share(words, 0)).isFalse();
        cpus[0].releaseAll();
        assertThat(cpus[1].share(words, 0)).isTrue();
    }

    @Test
    void upgradeLast_sharedTwiceByTheSameCall_isBusy() {
        cpus[0].share(words, 0);
        cpus[0].share(words, 0);

        assertThat(cpus[0].upgradeLast()).isFalse();
    }

    @Test
    void commit_oneIsOwned_takesNothing() {
        cpus[1].exclusive(words, 1);
        cpus[0].stage(words, 0);
        cpus[0].stage(words, 1);

        assertThat(cpus[0].commit(0)).isFalse();
        assertThat(cpus[1].exclusive(words, 0)).isTrue();
    }

    @Test
    void release_inTheMiddle_givesBackThatOneOnly() {
        cpus[0].share(words, 0);
        cpus[0].share(words, 1);
        cpus[0].release(words, 0);

        assertThat(cpus[1].exclusive(words, 0)).isTrue();
        assertThat(cpus[1].exclusive(words, 1)).isFalse();
    }

    @Test
    void failedHostAttempt_marksTheWord_andTheNextReaderClearsIt() {
        cpus[0].share(words, 0);
        cpus[1].exclusive(words, 0);
        assertThat(words[0]).isNotEqualTo(FREE);

        assertThat(cpus[1].share(words, 0)).isTrue();
        assertThat(words[0]).isEqualTo(FREE);
    }
}
