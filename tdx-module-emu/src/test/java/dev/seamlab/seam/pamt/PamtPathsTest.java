// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.pamt;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.sched.Cells;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.PageType;
import dev.seamlab.seam.lock.HeldLocks;
import dev.seamlab.seam.lock.SharexLock;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * The short ways of a walk: what they lead to and lock is what the long way does. Static metadata,
 * so that each range has entries; that a way was short shows where the tree is changed past
 * everybody's back.
 */
class PamtPathsTest {
    private static final long RANGE = Addresses.RANGE_SIZE;
    private static final long PAGE = Addresses.PAGE_SIZE;

    // Two GiB whose numbers have no bit in common, and differ in the upper bits only.
    private static final long FIRST = 16 * Addresses.GIB;
    private static final long SECOND = 32 * Addresses.GIB;

    private final Pamt pamt = twoGibs();
    private final HeldLocks[] cpus = HeldLocks.ofCpus(2);
    private final HeldLocks locks = cpus[0];
    private final HeldLocks others = cpus[1];
    private final PageRef at = new PageRef(locks.newPath());
    private final PageRef theirs = new PageRef();

    private static Pamt twoGibs() {
        Tdmr first = new Tdmr(FIRST, Addresses.GIB, new long[0], new long[0], false);
        Tdmr second = new Tdmr(SECOND, Addresses.GIB, new long[0], new long[0], false);
        Pamt pamt = new Pamt(List.of(first, second), false);
        pamt.initialise(first, Addresses.GIB);
        pamt.initialise(second, Addresses.GIB);
        return pamt;
    }

    /** The first walk makes the entries, the second remembers its path, the third takes it. */
    @BeforeEach
    void walkTwice() {
        go(FIRST, PageInfo.LEVEL_4K);
        go(FIRST + PAGE, PageInfo.LEVEL_4K);
        locks.releaseAll();
    }

    private int walk(long hpa, int level, boolean alone) {
        return pamt.walk(locks, at, hpa, level, alone);
    }

    private void go(long hpa, int level) {
        locks.releaseAll();
        assertThat(walk(hpa, level, true)).isEqualTo(Pamt.FOUND);
        assertThat(at.level()).isEqualTo(level);
        assertThat(at.hpa()).isEqualTo(hpa);
    }

    /** Whether the other CPU gets there now. */
    private boolean othersGet(long hpa, int level, boolean alone) {
        int outcome = pamt.walk(others, theirs, hpa, level, alone);
        others.releaseAll();
        return outcome == Pamt.FOUND;
    }

    private void assertNothingLocked() {
        for (int level = PageInfo.LEVEL_4K; level <= PageInfo.LEVEL_1G; level++) {
            assertThat(othersGet(FIRST + 5 * PAGE, level, true)).as("level " + level).isTrue();
        }
    }

    private void writeUnseen(int entry, PageType type) {
        Cells.release(theirStorage().words, entry, PamtEntry.of(type, 0) | SharexLock.SLOTTED);
    }

    private GibBlock.Storage theirStorage() {
        pamt.locate(theirs, FIRST, PageInfo.LEVEL_2M);
        return theirs.block();
    }

    // ------------------------------------------------------------------ beside the last one

    @Test
    void walkBeside_looksAtNothingAbove_butHoldsIt() {
        writeUnseen(Pamt.rangeEntry(FIRST), PageType.REG);
        assertThat(walk(FIRST + 2 * PAGE, PageInfo.LEVEL_4K, true)).isEqualTo(Pamt.FOUND);
        assertThat(at.isAt(FIRST + 2 * PAGE)).isTrue();
        at.assign(PageType.EPT, 5);
        writeUnseen(Pamt.rangeEntry(FIRST), PageType.NDA);

        assertThat(pamt.peek(Addresses.pfn(FIRST + 2 * PAGE)).type()).isEqualTo(PageType.EPT);
        assertThat(othersGet(FIRST + 2 * PAGE, PageInfo.LEVEL_4K, false)).isFalse();
        assertThat(othersGet(FIRST + 3 * PAGE, PageInfo.LEVEL_4K, true)).isTrue();
        assertThat(othersGet(FIRST, PageInfo.LEVEL_2M, true)).isFalse();
        assertThat(othersGet(FIRST, PageInfo.LEVEL_1G, true)).isFalse();
        locks.releaseAll();
        assertNothingLocked();
    }

    @Test
    void walkBeside_toWhatAnotherCpuHas_isRefusedAndHoldsNothing() {
        assertThat(pamt.walk(others, theirs, FIRST + 5 * PAGE, PageInfo.LEVEL_4K, true))
                .isEqualTo(Pamt.FOUND);
        int mark = locks.mark();
        assertThat(walk(FIRST + 5 * PAGE, PageInfo.LEVEL_4K, true)).isEqualTo(Pamt.LOCKED);
        assertThat(locks.mark()).isEqualTo(mark);
        others.releaseAll();
        assertNothingLocked();
    }

    @Test
    void walkBeside_afterSomebodyOwnedTheRange_seesWhatBecameOfIt() {
        assertThat(pamt.walk(others, theirs, FIRST, PageInfo.LEVEL_2M, true)).isEqualTo(Pamt.FOUND);
        theirs.write(PamtEntry.of(PageType.REG, 7));
        others.releaseAll();
        assertThat(walk(FIRST + 2 * PAGE, PageInfo.LEVEL_4K, true)).isEqualTo(Pamt.FOUND);
        assertThat(at.level()).isEqualTo(PageInfo.LEVEL_2M);
    }

    @Test
    void walkBeside_ofAReader_letsOtherReadersIn() {
        assertThat(walk(FIRST + 2 * PAGE, PageInfo.LEVEL_4K, false)).isEqualTo(Pamt.FOUND);
        assertThat(at.isAt(FIRST + 2 * PAGE)).isTrue();
        assertThat(othersGet(FIRST + 2 * PAGE, PageInfo.LEVEL_4K, false)).isTrue();
        assertThat(othersGet(FIRST + 2 * PAGE, PageInfo.LEVEL_4K, true)).isFalse();
    }

    @Test
    void walk_toTheRangeItself_endsThere_alsoWhereItHasEntries() {
        go(FIRST, PageInfo.LEVEL_2M);
        locks.releaseAll();
        assertThat(pamt.walk(others, theirs, FIRST, PageInfo.LEVEL_2M, true)).isEqualTo(Pamt.FOUND);
        assertThat(theirs.level()).isEqualTo(PageInfo.LEVEL_2M);
    }

    // ------------------------------------------------------------------ elsewhere

    @Test
    void walk_toAnotherRangeOrGib_isNotTakenForTheLastOne() {
        for (long base : new long[] {FIRST, FIRST + RANGE, SECOND}) {
            go(base + 9 * PAGE, PageInfo.LEVEL_4K);
            go(base + 9 * PAGE, PageInfo.LEVEL_4K);
            assertThat(at.is(PageType.NDA)).as(Long.toHexString(base)).isTrue();
            at.assign(PageType.REG, base >>> 30);
        }
        for (long base : new long[] {SECOND, FIRST, FIRST + RANGE}) {
            go(base + 9 * PAGE, PageInfo.LEVEL_4K);
            assertThat(at.owner()).isEqualTo(base >>> 30);
        }
    }

    @Test
    void walk_belowALeaf_endsAtTheLeaf_thoughThereAreEntriesBelow() {
        writeUnseen(Pamt.rangeEntry(FIRST), PageType.REG);
        assertThat(pamt.walk(others, theirs, FIRST, PageInfo.LEVEL_4K, true)).isEqualTo(Pamt.FOUND);
        assertThat(theirs.level()).isEqualTo(PageInfo.LEVEL_2M);
        others.releaseAll();
        writeUnseen(Pamt.rangeEntry(FIRST), PageType.NDA);
        writeUnseen(GibBlock.ONE_GIB_ENTRY, PageType.REG);
        assertThat(pamt.walk(others, theirs, FIRST, PageInfo.LEVEL_4K, true)).isEqualTo(Pamt.FOUND);
        assertThat(theirs.level()).isEqualTo(PageInfo.LEVEL_1G);
    }

    // ------------------------------------------------------------------ root pages

    /** Readers of a root page stand in slots, so that its lock is taken with those above it. */
    @Test
    void rootPage_isSharedByAll_orOwnedByOne() {
        go(FIRST + 4 * PAGE, PageInfo.LEVEL_4K);
        at.assign(PageType.TDR, 0);
        locks.releaseAll();
        assertThat(walk(FIRST + 4 * PAGE, PageInfo.LEVEL_4K, false)).isEqualTo(Pamt.FOUND);
        assertThat(othersGet(FIRST + 4 * PAGE, PageInfo.LEVEL_4K, false)).isTrue();
        assertThat(othersGet(FIRST + 4 * PAGE, PageInfo.LEVEL_4K, true)).isFalse();
        locks.releaseAll();
        PageRef elsewhere = new PageRef();
        assertThat(pamt.walk(locks, elsewhere, FIRST + 4 * PAGE, PageInfo.LEVEL_4K, true))
                .isEqualTo(Pamt.FOUND);
        assertThat(othersGet(FIRST + 4 * PAGE, PageInfo.LEVEL_4K, false)).isFalse();
        at.free();
        locks.releaseAll();
        assertThat(at.word0() & SharexLock.SLOTTED).as("of a free page").isZero();
    }

    @Test
    void stage_holdsTheWholePath_andStageImplicitTheEntryAlone() {
        go(FIRST + 4 * PAGE, PageInfo.LEVEL_4K);
        at.assign(PageType.TDVPR, 1);
        locks.releaseAll();
        int mark = locks.mark();
        pamt.stage(locks, at);
        assertThat(locks.commit(mark)).isTrue();
        for (int level = PageInfo.LEVEL_4K; level <= PageInfo.LEVEL_1G; level++) {
            assertThat(othersGetImplicitly(level)).as("level " + level).isFalse();
        }
        locks.releaseAll();
        for (int level = PageInfo.LEVEL_4K; level <= PageInfo.LEVEL_1G; level++) {
            assertThat(othersGetImplicitly(level)).as("level " + level).isTrue();
        }
        pamt.stageImplicit(locks, at);
        assertThat(locks.commit(mark)).isTrue();
        for (int level = PageInfo.LEVEL_4K; level <= PageInfo.LEVEL_1G; level++) {
            assertThat(othersGetImplicitly(level)).isEqualTo(level != PageInfo.LEVEL_4K);
        }
    }

    private boolean othersGetImplicitly(int level) {
        boolean got = pamt.lockImplicit(others, theirs, FIRST + 4 * PAGE, level, true);
        others.releaseAll();
        return got;
    }
}
