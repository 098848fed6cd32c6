// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.pamt;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.machine.Addresses;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.PageType;
import dev.seamlab.seam.lock.HeldLocks;
import dev.seamlab.seam.lock.SharexLock;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The metadata by themselves: two CPUs and two regions, of which one has reserved areas. */
class PamtTest {
    private static final long GIB = Addresses.GIB;
    private static final long RANGE = Addresses.RANGE_SIZE;
    private static final long PAGE = Addresses.PAGE_SIZE;
    private static final long FIRST = 4 * GIB;
    private static final long SECOND = 600 * GIB;
    private static final long OWNER = 0x1_2345;

    /** In the second region: a whole range, and some pages around the start of another. */
    private static final long RESERVED_RANGE = SECOND + 3 * RANGE;

    private static final long RESERVED_PAGES = SECOND + 8 * RANGE - PAGE;

    private final HeldLocks[] cpus = HeldLocks.ofCpus(2);
    private final HeldLocks locks = cpus[0];
    private final PageRef at = new PageRef();

    private static Pamt pamt(boolean dynamic) {
        Tdmr first = new Tdmr(FIRST, 2 * GIB, new long[0], new long[0], dynamic);
        Tdmr second =
                new Tdmr(
                        SECOND,
                        GIB,
                        new long[] {RESERVED_RANGE, RESERVED_PAGES},
                        new long[] {RESERVED_RANGE + RANGE, RESERVED_PAGES + 3 * PAGE},
                        dynamic);
        Pamt pamt = new Pamt(List.of(first, second), dynamic);
        assertThat(pamt.initialise(first, 2 * GIB)).isEqualTo(FIRST + 2 * GIB);
        assertThat(pamt.initialise(second, 5 * GIB)).isEqualTo(SECOND + GIB);
        return pamt;
    }

    private int walk(Pamt pamt, long hpa, int level, boolean alone) {
        return pamt.walk(locks, at, hpa, level, alone);
    }

    private void go(Pamt pamt, long hpa, int level) {
        locks.releaseAll();
        assertThat(walk(pamt, hpa, level, true)).isEqualTo(Pamt.FOUND);
        assertThat(at.level()).isEqualTo(level);
        assertThat(at.hpa()).isEqualTo(hpa);
        assertThat(at.pfn()).isEqualTo(Addresses.pfn(hpa));
    }

    private static void assertNothingLocked(Pamt pamt) {
        assertThat(PamtLocks.held(pamt, Addresses.pfn(FIRST), 4 * 512)).isEmpty();
    }

    // ------------------------------------------------------------------ regions

    @Test
    void regions_areFoundByTheirBase_andTellWhereTheyEnd() {
        Pamt pamt = pamt(true);
        assertThat(pamt.tdmrs()).hasSize(2);
        assertThat(pamt.tdmrAt(SECOND)).isSameAs(pamt.tdmrs().get(1));
        assertThat(pamt.tdmrAt(SECOND + PAGE)).isNull();
        assertThat(pamt.tdmrs().get(0).end()).isEqualTo(FIRST + 2 * GIB);
        assertThat(pamt).hasToString("dynamic" + pamt.tdmrs());
        assertThat(pamt.dynamic()).isTrue();
        assertThat(pamt(false)).asString().startsWith("static");
        assertThat(pamt(false).dynamic()).isFalse();
    }

    @Test
    void initialise_inPieces_coversAGibWhenItsLastByteIs() {
        Tdmr tdmr = new Tdmr(FIRST, 2 * GIB, new long[0], new long[0], false);
        Pamt pamt = new Pamt(List.of(tdmr), false);
        assertThat(tdmr.initialisedUpTo()).isEqualTo(FIRST);
        assertThat(pamt.initialise(tdmr, GIB - PAGE)).isEqualTo(FIRST + GIB - PAGE);
        assertThat(pamt.covers(FIRST)).isFalse();
        assertThat(pamt.initialise(tdmr, PAGE)).isEqualTo(FIRST + GIB);
        assertThat(tdmr.initialisedUpTo()).isEqualTo(FIRST + GIB);
        assertThat(pamt.covers(FIRST)).isTrue();
        assertThat(pamt.covers(FIRST + GIB - 1)).isTrue();
        assertThat(pamt.covers(FIRST + GIB)).isFalse();
        assertThat(pamt.covers(FIRST - 1)).isFalse();
        assertThat(pamt.initialise(tdmr, 9 * GIB)).isEqualTo(FIRST + 2 * GIB);
        assertThat(pamt.covers(FIRST + GIB)).isTrue();
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void reservedPages_areTold_beforeAndAfterSomebodyLooked(boolean dynamic) {
        Pamt pamt = pamt(dynamic);
        for (int round = 0; round < 2; round++) {
            assertThat(pamt.isTouched(Addresses.pfn(SECOND))).isEqualTo(round == 1);
            for (int page = -1; page <= 3; page++) {
                boolean reserved = page >= 0 && page < 3;
                PamtPage seen = pamt.peek(Addresses.pfn(RESERVED_PAGES + page * PAGE));
                // Static entries say so themselves, with Dynamic PAMT the bitmap does.
                PageType type = reserved && !dynamic ? PageType.RSVD : PageType.NDA;
                int level = dynamic ? PageInfo.LEVEL_2M : PageInfo.LEVEL_4K;
                assertThat(seen).isEqualTo(new PamtPage(type, 0, level, 0, reserved && dynamic));
                if (round == 0) {
                    continue;
                }
                assertThat(pamt.isMetadataPage(RESERVED_PAGES + page * PAGE))
                        .isEqualTo(reserved && dynamic);
            }
            for (int page = 0; page < 3; page++) {
                locks.releaseAll();
                assertThat(walk(pamt, RESERVED_PAGES + page * PAGE, PageInfo.LEVEL_4K, true))
                        .isEqualTo(Pamt.FOUND);
                assertThat(at.is(PageType.RSVD)).isEqualTo(!dynamic);
            }
        }
        assertThat(pamt.isRangeFree(SECOND)).isTrue();
        assertThat(pamt.isRangeFree(RESERVED_PAGES)).isFalse();
        assertThat(pamt.isRangeFree(RESERVED_RANGE)).isFalse();
        assertThat(pamt(dynamic).isRangeFree(RESERVED_RANGE)).isFalse();
    }

    /** An area that begins and ends within words of the bitmap and fills some between. */
    @Test
    void reservedArea_ofManyPages_isMarkedToThePage() {
        long[] start = {FIRST + 100 * PAGE};
        long[] end = {FIRST + 400 * PAGE};
        Tdmr tdmr = new Tdmr(FIRST, GIB, start, end, true);
        Pamt pamt = new Pamt(List.of(tdmr), true);
        pamt.initialise(tdmr, GIB);
        for (int page = 0; page < 2 * 512; page++) {
            assertThat(pamt.isMetadataPage(FIRST + page * PAGE))
                    .as("page " + page)
                    .isEqualTo(page >= 100 && page < 400);
        }
    }

    @Test
    void reservedAreas_ofAStretch_areCutToIt_andNoneBesideIt() {
        Tdmr tdmr = pamt(true).tdmrs().get(1);
        List<Long> seen = new ArrayList<>();
        tdmr.forEachReserved(
                RESERVED_RANGE + PAGE,
                RANGE,
                (start, end) -> {
                    seen.add(start);
                    seen.add(end);
                });
        assertThat(seen).containsExactly(RESERVED_RANGE + PAGE, RESERVED_RANGE + RANGE);
        tdmr.forEachReserved(RESERVED_RANGE - RANGE, RANGE, (start, end) -> seen.clear());
        tdmr.forEachReserved(RESERVED_RANGE + RANGE, RANGE, (start, end) -> seen.clear());
        assertThat(seen).hasSize(2);
    }

    /** With static metadata the bitmap would say nothing that the entries do not. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void reservedPages_costABitmap_withDynamicMetadataOnly(boolean dynamic) {
        Pamt pamt = pamt(dynamic);
        go(pamt, SECOND, PageInfo.LEVEL_2M);
        assertThat(at.block().bitmap != null).isEqualTo(dynamic);
        go(pamt, FIRST, PageInfo.LEVEL_2M);
        assertThat(at.block().bitmap).isNull();
    }

    private static PageType type(Pamt pamt, long hpa) {
        PamtPage page = pamt.peek(Addresses.pfn(hpa));
        assertThat(page).isNotNull();
        return page.type();
    }

    // ------------------------------------------------------------------ walks and locks

    @Test
    void walk_static_reachesEachLevel_andNowhereElse() {
        Pamt pamt = pamt(false);
        for (int level = PageInfo.LEVEL_4K; level <= PageInfo.LEVEL_1G; level++) {
            go(pamt, FIRST + 5 * RANGE + 7 * PAGE, level);
        }
        locks.releaseAll();
        assertThat(walk(pamt, FIRST - PAGE, PageInfo.LEVEL_4K, true)).isEqualTo(Pamt.OUT_OF_RANGE);
        assertThat(walk(pamt, SECOND + GIB, PageInfo.LEVEL_4K, false)).isEqualTo(Pamt.OUT_OF_RANGE);
        assertNothingLocked(pamt);
    }

    /** Upper entries are shared by all, and stay so whatever is written there. */
    @Test
    void upperEntries_andRootPages_haveReadersInSlots() {
        Pamt pamt = pamt(false);
        for (int level = PageInfo.LEVEL_2M; level <= PageInfo.LEVEL_1G; level++) {
            go(pamt, FIRST + 511 * RANGE, level);
            assertThat(at.word0() & ~SharexLock.MASK).isEqualTo(SharexLock.SLOTTED);
            at.write(PamtEntry.of(PageType.REG, OWNER));
            assertThat(at.word0() & SharexLock.SLOTTED).isNotZero();
            at.write(PamtEntry.of(PageType.NDA, 0));
        }
        for (PageType type : PageType.values()) {
            boolean root = type == PageType.TDR || type == PageType.TDVPR;
            assertThat((PamtEntry.of(type, OWNER) & SharexLock.SLOTTED) != 0)
                    .as(type.name())
                    .isEqualTo(root);
        }
    }

    @Test
    void entries_givenTwice_staysWithTheFirst() {
        GibBlock.Storage storage = new GibBlock.Storage();
        long[] first = new long[2];
        assertThat(storage.entriesIfNone(7, first)).isTrue();
        assertThat(storage.entriesIfNone(7, new long[2])).isFalse();
        assertThat(storage.entries(7)).isSameAs(first);
        storage.entries(7, null);
        assertThat(storage.entries(7)).isNull();
    }

    @Test
    void walk_dynamicWithoutPair_endsAtTheRange() {
        Pamt pamt = pamt(true);
        assertThat(walk(pamt, FIRST + PAGE, PageInfo.LEVEL_4K, true)).isEqualTo(Pamt.FOUND);
        assertThat(at.level()).isEqualTo(PageInfo.LEVEL_2M);
        install(pamt, FIRST, 0);
        go(pamt, FIRST + PAGE, PageInfo.LEVEL_4K);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void walk_toWhatAnotherCpuHas_isRefusedAndHoldsNothing(boolean dynamic) {
        Pamt pamt = pamt(dynamic);
        if (dynamic) {
            install(pamt, FIRST, 0);
        }
        locks.releaseAll();
        PageRef other = new PageRef();
        for (int theirs = PageInfo.LEVEL_4K; theirs <= PageInfo.LEVEL_1G; theirs++) {
            assertThat(pamt.walk(cpus[1], other, FIRST, theirs, true)).isEqualTo(Pamt.FOUND);
            for (int ours = PageInfo.LEVEL_4K; ours <= PageInfo.LEVEL_1G; ours++) {
                int mark = locks.mark();
                assertThat(walk(pamt, FIRST, ours, true))
                        .as(ours + " under " + theirs)
                        .isEqualTo(Pamt.LOCKED);
                assertThat(locks.mark()).isEqualTo(mark);
                // Shared: the upper entries of somebody's path are.
                boolean shared = ours > theirs;
                assertThat(walk(pamt, FIRST, ours, false))
                        .isEqualTo(shared ? Pamt.FOUND : Pamt.LOCKED);
                locks.releaseAll();
            }
            cpus[1].releaseAll();
            assertNothingLocked(pamt);
        }
    }

    @Test
    void lockImplicit_takesTheEntryAlone() {
        Pamt pamt = pamt(false);
        go(pamt, FIRST, PageInfo.LEVEL_4K);
        locks.releaseAll();
        PageRef other = new PageRef();
        assertThat(pamt.lockImplicit(cpus[1], other, FIRST, PageInfo.LEVEL_4K, true)).isTrue();
        assertThat(other.isAt(FIRST)).isTrue();
        assertThat(other.isAt(FIRST + PAGE)).isFalse();
        assertThat(pamt.lockImplicit(locks, at, FIRST, PageInfo.LEVEL_4K, true)).isFalse();
        assertThat(pamt.lockImplicit(locks, at, FIRST, PageInfo.LEVEL_2M, true)).isTrue();
        assertThat(pamt.lockImplicit(locks, at, FIRST, PageInfo.LEVEL_1G, true)).isTrue();
        assertThat(at.level()).isEqualTo(PageInfo.LEVEL_1G);
        assertThat(at.isAt(FIRST)).as("no 4K entry").isFalse();
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void isStill_untilTypeOrTableChange(boolean dynamic) {
        Pamt pamt = pamt(dynamic);
        if (dynamic) {
            install(pamt, FIRST, 0);
        }
        go(pamt, FIRST + PAGE, PageInfo.LEVEL_4K);
        PageRef known = new PageRef();
        known.point(at);
        assertThat(pamt.isStill(known, PageType.NDA)).isTrue();
        assertThat(pamt.isStill(known, PageType.TDR)).isFalse();
        at.assign(PageType.TDR, 0);
        assertThat(pamt.isStill(known, PageType.TDR)).isTrue();
        assertThat(at.free()).isEqualTo(dynamic ? PageInfo.REMOVAL_HINT : 0);
        go(pamt, FIRST, PageInfo.LEVEL_2M);
        if (dynamic) {
            pamt.removePair(at);
        } else {
            at.write(PamtEntry.of(PageType.REG, OWNER));
        }
        assertThat(pamt.isStill(known, PageType.NDA)).isFalse();
    }

    // ------------------------------------------------------------------ pages and pairs

    /** A pair at a range, made of two pages of the last range of the first GiB. */
    private void install(Pamt pamt, long range, int number) {
        long page0 = FIRST + GIB - RANGE + 2L * number * PAGE;
        assertThat(pamt.claimMetadataPage(page0)).isTrue();
        assertThat(pamt.claimMetadataPage(page0 + PAGE)).isTrue();
        go(pamt, range, PageInfo.LEVEL_2M);
        pamt.installPair(at, page0, page0 + PAGE);
        assertThat(Pamt.page0(at)).isEqualTo(page0);
        assertThat(Pamt.page1(at)).isEqualTo(page0 + PAGE);
    }

    @Test
    void pair_countsItsPages_andTellsWhenNoneIsLeft() {
        Pamt pamt = pamt(true);
        install(pamt, FIRST + RANGE, 0);
        PamtPair pair = pamt.peekPair(Addresses.pfn(FIRST + RANGE + 9 * PAGE));
        assertThat(pair).isNotNull();
        assertThat(pair.page0()).isEqualTo(Addresses.pfn(FIRST + GIB - RANGE));
        assertThat(pair.page1()).isEqualTo(pair.page0() + 1);
        assertThat(pair.usedPages()).isZero();
        assertThat(pamt.peekPair(Addresses.pfn(FIRST))).isNull();
        for (int page : new int[] {3, 255, 256}) {
            go(pamt, FIRST + RANGE + page * PAGE, PageInfo.LEVEL_4K);
            at.assign(PageType.REG, OWNER);
            assertThat(at.owner()).isEqualTo(OWNER);
        }
        assertThat(used(pamt)).isEqualTo(3);
        assertThat(half(pamt)).isZero();
        go(pamt, FIRST + RANGE + 3 * PAGE, PageInfo.LEVEL_4K);
        assertThat(at.free()).isZero();
        assertThat(at.owner()).as("stays readable").isEqualTo(OWNER);
        assertThat(half(pamt)).isZero();
        go(pamt, FIRST + RANGE + 255 * PAGE, PageInfo.LEVEL_4K);
        assertThat(at.free()).isZero();
        assertThat(half(pamt)).isEqualTo(1);
        go(pamt, FIRST + RANGE + 256 * PAGE, PageInfo.LEVEL_4K);
        assertThat(at.free()).isEqualTo(PageInfo.REMOVAL_HINT);
        assertThat(half(pamt)).isEqualTo(-1);
        assertThat(used(pamt)).isZero();

        go(pamt, FIRST + RANGE, PageInfo.LEVEL_2M);
        pamt.removePair(at);
        assertThat(at.is(PageType.NDA)).isTrue();
        assertThat(at.word1()).isZero();
        assertThat(at.block().entries(1)).as("memory of the entries").isNull();
        assertThat(pamt.isMetadataPage(FIRST + GIB - RANGE)).isFalse();
        assertThat(pamt.isMetadataPage(FIRST + GIB - RANGE + PAGE)).isFalse();
        assertThat(new PamtInspector(pamt).pairs()).isZero();
        locks.releaseAll();
        assertThat(walk(pamt, FIRST + RANGE, PageInfo.LEVEL_4K, false)).isEqualTo(Pamt.FOUND);
        assertThat(at.level()).isEqualTo(PageInfo.LEVEL_2M);
    }

    @Test
    void pair_addedAgain_showsNothingOfThePagesBefore() {
        Pamt pamt = pamt(true);
        install(pamt, FIRST, 0);
        for (int page = 0; page < Addresses.PAGES_PER_RANGE; page++) {
            go(pamt, FIRST + page * PAGE, PageInfo.LEVEL_4K);
            at.assign(PageType.REG, OWNER);
            at.bepoch(page);
            at.free();
        }
        long[] before = at.words();
        go(pamt, FIRST, PageInfo.LEVEL_2M);
        pamt.removePair(at);
        install(pamt, FIRST + 4 * RANGE, 0);
        install(pamt, FIRST, 1);
        go(pamt, FIRST, PageInfo.LEVEL_4K);
        assertThat(at.words()).as("storage is used again").isSameAs(before);
        for (long range : new long[] {FIRST, FIRST + 4 * RANGE}) {
            for (int page = 0; page < Addresses.PAGES_PER_RANGE; page++) {
                go(pamt, range + page * PAGE, PageInfo.LEVEL_4K);
                assertThat(at.is(PageType.NDA)).isTrue();
                assertThat(at.owner()).isZero();
                assertThat(at.bepoch()).isZero();
            }
        }
        at.assign(PageType.REG, OWNER);
        go(pamt, FIRST + RANGE - PAGE, PageInfo.LEVEL_4K);
        assertThat(at.is(PageType.NDA)).as("each range has entries of its own").isTrue();
    }

    private static int used(Pamt pamt) {
        return pamt.peekPair(Addresses.pfn(FIRST + RANGE)).usedPages();
    }

    private int half(Pamt pamt) {
        go(pamt, FIRST + RANGE, PageInfo.LEVEL_2M);
        return pamt.halfInUse(at);
    }

    @Test
    void metadataPage_isClaimedOnce() {
        Pamt pamt = pamt(true);
        long page = FIRST + 77 * PAGE;
        assertThat(pamt.isMetadataPage(page)).isFalse();
        assertThat(pamt.isRangeFree(page)).isTrue();
        assertThat(pamt.claimMetadataPage(page)).isTrue();
        assertThat(pamt.claimMetadataPage(page)).isFalse();
        assertThat(pamt.claimMetadataPage(page + PAGE)).isTrue();
        assertThat(pamt.isMetadataPage(page)).isTrue();
        assertThat(pamt.isRangeFree(page)).isFalse();
        assertThat(pamt.isRangeFree(page + RANGE)).isTrue();
        assertThat(pamt.claimMetadataPage(FIRST + RANGE)).isTrue();
        assertThat(pamt.claimMetadataPage(FIRST + 3 * RANGE - PAGE)).isTrue();
        assertThat(pamt.isRangeFree(FIRST + RANGE)).isFalse();
        assertThat(pamt.isRangeFree(FIRST + 2 * RANGE)).isFalse();
        assertThat(pamt.isRangeFree(FIRST + 3 * RANGE)).isTrue();
        pamt.releaseMetadataPage(page);
        assertThat(pamt.isMetadataPage(page)).isFalse();
        pamt.releaseMetadataPage(page + PAGE);
        assertThat(pamt.isRangeFree(page)).as("its neighbour is not").isTrue();
        assertThat(pamt.claimMetadataPage(page + PAGE)).isTrue();
        assertThat(pamt.isMetadataPage(page + PAGE)).isTrue();
        assertThat(pamt.isMetadataPage(SECOND + GIB)).as("no memory").isFalse();
        go(pamt, FIRST, PageInfo.LEVEL_2M);
        at.point(at.hpa() + 78 * PAGE, at.level(), at.block(), at.words(), at.at());
        assertThat(pamt.isMetadataPage(at)).isTrue();
        assertThat(pamt(false).isMetadataPage(at)).isFalse();
    }

    @Test
    void isRangeFree_static_untilAPageIsUsed() {
        Pamt pamt = pamt(false);
        assertThat(pamt.isRangeFree(FIRST + RANGE)).isTrue();
        go(pamt, FIRST + RANGE + 511 * PAGE, PageInfo.LEVEL_4K);
        assertThat(pamt.isRangeFree(FIRST + RANGE)).isTrue();
        at.assign(PageType.EPT, OWNER);
        assertThat(pamt.isRangeFree(FIRST + RANGE)).isFalse();
        assertThat(pamt.isRangeFree(FIRST)).isTrue();
        assertThat(at.free()).isZero();
        assertThat(pamt.isRangeFree(FIRST + RANGE)).isTrue();
        go(pamt, FIRST + RANGE, PageInfo.LEVEL_4K);
        at.assign(PageType.EPT, OWNER);
        assertThat(pamt.isRangeFree(FIRST + RANGE)).as("its first page").isFalse();
    }

    // ------------------------------------------------------------------ split and merge

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void demoteAndPromote_ofARange_moveAllItsPages(boolean dynamic) {
        Pamt pamt = pamt(dynamic);
        long leaf = FIRST + 4 * RANGE;
        if (!dynamic) {
            // What its pages were before is forgotten.
            go(pamt, leaf + PAGE, PageInfo.LEVEL_4K);
            at.bepoch(77);
        }
        go(pamt, leaf, PageInfo.LEVEL_2M);
        at.write(PamtEntry.of(PageType.REG, OWNER));
        at.bepoch(5);
        assertThat(at.bepoch()).isEqualTo(5);
        long page0 = FIRST + GIB - RANGE;
        if (dynamic) {
            assertThat(pamt.claimMetadataPage(page0)).isTrue();
            assertThat(pamt.claimMetadataPage(page0 + PAGE)).isTrue();
        }
        pamt.demote(at, page0, page0 + PAGE);
        for (int page : new int[] {0, 1, 511}) {
            PamtPage seen = pamt.peek(Addresses.pfn(leaf + page * PAGE));
            assertThat(seen)
                    .isEqualTo(new PamtPage(PageType.REG, OWNER, PageInfo.LEVEL_4K, 0, false));
        }
        PamtPair pair = pamt.peekPair(Addresses.pfn(leaf));
        assertThat(pair)
                .isEqualTo(
                        dynamic
                                ? new PamtPair(
                                        Addresses.pfn(page0), Addresses.pfn(page0 + PAGE), 512)
                                : null);
        List<Long> seen = new ArrayList<>();
        new PamtInspector(pamt).forEachUsedPage((pfn, page) -> seen.add(pfn));
        assertThat(seen).hasSize(512).startsWith(Addresses.pfn(leaf));

        pamt.promote(at, OWNER + 1);
        assertThat(at.is(PageType.REG)).isTrue();
        assertThat(at.owner()).isEqualTo(OWNER + 1);
        assertThat(pamt.peek(Addresses.pfn(leaf + PAGE)).level()).isEqualTo(PageInfo.LEVEL_2M);
        assertThat(pamt.isMetadataPage(page0)).isFalse();
        assertThat(pamt.isMetadataPage(page0 + PAGE)).isFalse();
        assertThat(pamt.peekPair(Addresses.pfn(leaf))).isNull();
        if (dynamic) {
            assertThat(at.word1()).isZero();
            assertThat(at.block().entries(4)).as("memory of the entries").isNull();
        } else {
            at.write(PamtEntry.of(PageType.NDA, 0));
            assertThat(pamt.isRangeFree(leaf)).isTrue();
            go(pamt, leaf + PAGE, PageInfo.LEVEL_4K);
            assertThat(at.owner()).as("stays readable").isEqualTo(OWNER);
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void demoteAndPromote_ofAGib_moveAllItsRanges(boolean dynamic) {
        Pamt pamt = pamt(dynamic);
        go(pamt, FIRST + GIB + 511 * RANGE, PageInfo.LEVEL_2M);
        at.bepoch(77);
        go(pamt, FIRST + GIB, PageInfo.LEVEL_1G);
        at.write(PamtEntry.of(PageType.REG, OWNER));
        assertThat(pamt.peek(Addresses.pfn(FIRST + GIB + RANGE)).level())
                .isEqualTo(PageInfo.LEVEL_1G);
        pamt.demote(at, 0, 0);
        for (int range : new int[] {0, 1, 511}) {
            assertThat(pamt.peek(Addresses.pfn(FIRST + GIB + range * RANGE)))
                    .isEqualTo(new PamtPage(PageType.REG, OWNER, PageInfo.LEVEL_2M, 0, false));
        }
        assertThat(at.is(PageType.NDA)).isTrue();
        at.writeSecond(9);
        pamt.promote(at, OWNER);
        assertThat(at.is(PageType.REG)).isTrue();
        assertThat(at.word1()).isEqualTo(dynamic ? 0 : 9);
        at.write(PamtEntry.of(PageType.NDA, 0));
        for (int range : new int[] {0, 1, 511}) {
            assertThat(type(pamt, FIRST + GIB + range * RANGE)).isEqualTo(PageType.NDA);
        }
        // The locks of the upper entries are still of the kind that all CPUs share.
        locks.releaseAll();
        assertThat(walk(pamt, FIRST + GIB, PageInfo.LEVEL_2M, false)).isEqualTo(Pamt.FOUND);
        assertNothingLocked(pamt);
    }

    /** The first range of a GiB is not also the last of the one before, nor of its region. */
    @Test
    void inspector_showsEachPairAndPageOnce() {
        Tdmr first = new Tdmr(FIRST, 2 * GIB, new long[0], new long[0], true);
        Tdmr next = new Tdmr(FIRST + 2 * GIB, GIB, new long[0], new long[0], true);
        Pamt pamt = new Pamt(List.of(first, next), true);
        pamt.initialise(first, 2 * GIB);
        pamt.initialise(next, GIB);
        List<Long> used = new ArrayList<>();
        for (int gib = 0; gib < 3; gib++) {
            install(pamt, FIRST + gib * GIB, gib);
            go(pamt, FIRST + gib * GIB, PageInfo.LEVEL_4K);
            at.assign(PageType.REG, OWNER);
            used.add(at.pfn());
        }
        PamtInspector inspector = new PamtInspector(pamt);
        assertThat(inspector.pairs()).isEqualTo(3);
        List<Long> seen = new ArrayList<>();
        inspector.forEachUsedPage((pfn, page) -> seen.add(pfn));
        assertThat(seen).isEqualTo(used);
        assertThat(inspector.page(at.pfn())).isEqualTo(pamt.peek(at.pfn())).isNotNull();
    }

    @Test
    void peek_outsideAnyRegion_isNothing() {
        Pamt pamt = pamt(true);
        assertThat(pamt.peek(Addresses.pfn(FIRST - PAGE))).isNull();
        assertThat(pamt.peekPair(Addresses.pfn(FIRST - PAGE))).isNull();
        assertThat(pamt.isTouched(Addresses.pfn(FIRST - PAGE))).isFalse();
        assertThat(pamt.isTouched(Addresses.pfn(FIRST))).isFalse();
        go(pamt, FIRST, PageInfo.LEVEL_2M);
        assertThat(pamt.isTouched(Addresses.pfn(FIRST))).isTrue();
        assertThat(pamt.isTouched(Addresses.pfn(FIRST + GIB))).isFalse();
    }
}
