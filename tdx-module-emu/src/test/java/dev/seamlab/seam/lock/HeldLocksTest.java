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
    void retake_nobodyClaimedMeanwhile_takesTheWholePathAgain() {
        LockPath path = learnBoth(cpus[0]);
        cpus[0].releaseAll();
        assertThat(cpus[1].share(words, 0)).isTrue();

        assertThat(path.leadsTo(this)).isTrue();
        assertThat(cpus[0].retake(path)).isTrue();
        cpus[1].releaseAll();
        assertThat(cpus[1].exclusive(words, 0)).isFalse();
        assertThat(cpus[1].exclusive(words, 1)).isFalse();
        cpus[0].releaseAll();
        assertThat(cpus[1].exclusive(words, 1)).isTrue();
    }

    @Test
    void retake_ownedNow_orOwnedMeanwhile_orMarkedOnly_takesNothing() {
        LockPath path = learnBoth(cpus[0]);
        cpus[0].releaseAll();
        cpus[1].exclusive(words, 1);
        assertThat(cpus[0].retake(path)).isFalse();
        cpus[1].releaseAll();
        assertThat(cpus[0].retake(path)).isFalse();
        assertThat(cpus[1].exclusive(words, 0)).as("no trace of the refusal").isTrue();
        cpus[1].releaseAll();

        LockPath again = learnBoth(cpus[0]);
        assertThat(cpus[1].exclusive(words, 0)).isFalse(); // leaves its mark
        cpus[0].releaseAll();
        assertThat(cpus[0].retake(again)).as("somebody has to clear the mark").isFalse();
    }

    @Test
    void retake_behindOtherLocks_takesNothing() {
        LockPath path = learnBoth(cpus[0]);
        cpus[0].releaseAll();
        cpus[0].share(words, 0);

        assertThat(cpus[0].retake(path)).isFalse();
    }

    @Test
    void path_whosePlacesGotOtherLocks_leadsNowhere() {
        LockPath path = learnBoth(cpus[0]);
        cpus[0].releaseAll();
        cpus[0].share(words, 0);
        assertThat(path.leadsTo(this)).as("the same lock at the same place").isTrue();
        cpus[0].share(words, 2);

        assertThat(path.leadsTo(this)).isFalse();
    }

    @Test
    void path_overlappedByAnotherOne_leadsNowhere() {
        LockPath path = learnBoth(cpus[0]);
        cpus[0].releaseAll();
        LockPath other = learnBoth(cpus[0]);

        assertThat(path.leadsTo(this)).isFalse();
        assertThat(other.leadsTo(this)).isTrue();
    }

    @Test
    void path_ofEntries_outlivesOtherLeaves() {
        cpus[0].begin(true);
        LockPath entry = learnBoth(cpus[0]);
        cpus[0].releaseAll();
        cpus[0].begin(false);
        cpus[0].share(words, 1);
        cpus[0].exclusive(words, 2);
        cpus[0].releaseAll();

        cpus[0].begin(true);
        assertThat(entry.leadsTo(this)).isTrue();
        assertThat(cpus[0].retake(entry)).isTrue();
        assertThat(cpus[1].exclusive(words, 0)).isFalse();
    }

    private LockPath learnBoth(HeldLocks cpu) {
        LockPath path = cpu.newPath();
        int mark = cpu.mark();
        long claims = cpu.claims();
        cpu.stage(words, 0);
        cpu.stage(words, 1);
        assertThat(cpu.commit(mark)).isTrue();
        cpu.remember(path, mark, this, claims);
        return path;
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
