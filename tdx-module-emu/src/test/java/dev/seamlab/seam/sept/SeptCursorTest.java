// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.sept;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.machine.Gpa;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.SeptEntryState;
import dev.seamlab.seam.lock.SharexLock;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class SeptCursorTest {
    private static final @Gpa long GPA = 5L << 30 | 7L << 21;
    private static final @Gpa long BESIDE = GPA + 4096;
    private static final int LEVELS = PageInfo.LEVEL_512G;

    private final SeptTable root = new SeptTable(0x1000, LEVELS);
    private final SeptCursor host = new SeptCursor();
    private final SeptCursor walker = new SeptCursor();

    @BeforeEach
    void buildTables() {
        for (int level = LEVELS; level > PageInfo.LEVEL_4K; level--) {
            assertThat(host.walk(root, GPA, level)).isTrue();
            host.table().child(host.index(), new SeptTable(0x10_0000L * level, level - 1));
            set(SeptEntry.table(0x10_0000L * level));
        }
        assertThat(walker.walk(root, GPA, PageInfo.LEVEL_4K)).isTrue();
    }

    private void set(long entry) {
        assertThat(host.lock()).isTrue();
        host.commit(entry);
    }

    @Test
    void walk_besideTheLastOne_seesWhatOthersCommitted() {
        host.walk(root, BESIDE, PageInfo.LEVEL_4K);
        set(SeptEntry.leaf(0x7000, SeptEntryState.PENDING));

        assertThat(walker.walk(root, BESIDE, PageInfo.LEVEL_4K)).isTrue();
        assertThat(SeptEntry.hpa(walker.entry())).isEqualTo(0x7000);
        assertThat(walker.level()).isEqualTo(PageInfo.LEVEL_4K);
    }

    @Test
    void walk_afterABlockAtAnyLevelAbove_stopsThere_andGoesOnAfterTheUnblock() {
        for (int level = PageInfo.LEVEL_2M; level <= LEVELS; level++) {
            host.walk(root, GPA, level);
            long entry = host.entry();
            set(SeptEntry.withState(entry, SeptEntryState.NL_BLOCKED));

            assertThat(walker.walk(root, BESIDE, PageInfo.LEVEL_4K)).isFalse();
            assertThat(walker.level()).isEqualTo(level);
            set(SeptEntry.withState(entry, SeptEntryState.NL_MAPPED), level);
            assertThat(walker.walk(root, BESIDE, PageInfo.LEVEL_4K)).isTrue();
        }
    }

    private void set(long entry, int level) {
        host.walk(root, GPA, level);
        set(entry);
    }

    @Test
    void walk_afterTheTableWasReplaced_endsInTheNewOne() {
        host.walk(root, GPA, PageInfo.LEVEL_2M);
        set(SeptEntry.FREE);
        SeptTable fresh = new SeptTable(0x9000, PageInfo.LEVEL_4K);
        host.table().child(host.index(), fresh);
        set(SeptEntry.table(0x9000), PageInfo.LEVEL_2M);

        assertThat(walker.walk(root, BESIDE, PageInfo.LEVEL_4K)).isTrue();
        assertThat(walker.table()).isSameAs(fresh);
    }

    @Test
    void walk_ofAnotherTree_orRange_orLevel_isNotShortened() {
        SeptTable other = new SeptTable(0x2000, LEVELS);
        assertThat(walker.walk(other, GPA, PageInfo.LEVEL_4K)).isFalse();
        assertThat(walker.table()).isSameAs(other);

        walker.walk(root, GPA, PageInfo.LEVEL_4K);
        assertThat(walker.walk(root, GPA + (2L << 20), PageInfo.LEVEL_4K)).isFalse();
        assertThat(walker.level()).isEqualTo(PageInfo.LEVEL_2M);

        walker.walk(root, GPA, PageInfo.LEVEL_4K);
        assertThat(walker.walk(root, GPA, PageInfo.LEVEL_2M)).isTrue();
        assertThat(walker.level()).isEqualTo(PageInfo.LEVEL_2M);
    }

    /** The way that a walk takes shows where the tree is changed past everybody's back. */
    @Test
    void walk_besideTheLastOne_goesToTheTableAtOnce() {
        root.words()[root.indexOf(GPA)] = SeptEntry.FREE;

        assertThat(walker.walk(root, BESIDE, PageInfo.LEVEL_4K)).isTrue();
        assertThat(walker.level()).isEqualTo(PageInfo.LEVEL_4K);
        // One that came to its end above has nothing to remember.
        assertThat(walker.walk(root, GPA + (2L << 20), PageInfo.LEVEL_4K)).isFalse();
        assertThat(walker.level()).isEqualTo(LEVELS);
        assertThat(walker.walk(root, GPA, PageInfo.LEVEL_4K)).isFalse();
    }

    @Test
    void lock_ofHostAndGuest_excludeEachOther_andReadTheEntryAgain() {
        walker.walk(root, GPA, PageInfo.LEVEL_4K);
        host.walk(root, GPA, PageInfo.LEVEL_4K);
        set(SeptEntry.leaf(0x7000, SeptEntryState.PENDING));
        assertThat(walker.entry()).as("as the walk read it").isEqualTo(SeptEntry.FREE);

        assertThat(walker.isUnlocked()).isTrue();
        assertThat(walker.lockAsGuest()).isEqualTo(SharexLock.TAKEN);
        assertThat(SeptEntry.hpa(walker.entry())).isEqualTo(0x7000);
        assertThat(host.lock()).isFalse();
        host.reread();
        assertThat(host.isUnlocked()).isFalse();
        walker.unlockIfHeld();
        // Nobody holds it, but the host wants it.
        host.reread();
        assertThat(host.isUnlocked()).isFalse();
        assertThat(SeptEntry.hpa(host.entry())).isEqualTo(0x7000);
        assertThat(walker.lockAsGuest()).isEqualTo(SharexLock.HOST_PRIORITY_BUSY);
        assertThat(host.lock()).isTrue();
        host.unlockIfHeld();
        host.unlockIfHeld();
        host.reread();
        assertThat(host.isUnlocked()).isTrue();
    }
}
