// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.pamt;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.mem.FailureInjection;
import dev.seamlab.host.mem.PageAllocator;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.machine.PhysicalMemory;
import dev.seamlab.machine.profile.AddressRange;
import java.util.List;
import java.util.function.BiFunction;
import java.util.function.Function;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/**
 * What went wrong with the sparse refcounts in the series: the real store keeps each rule, a mutant
 * with the historic defect breaks it.
 */
class StoreRegressionsTest {
    private static final long FRAMES_PER_PAGE = StoreMutant.COUNTERS_PER_PAGE * 512;

    /** A store that populates blocks. */
    private interface Store {
        int populate(long start, long end);

        RangeRefcounts counts();
    }

    private static Store real(PageAllocator pages, long maxPfn) {
        SparseRefcounts store = new SparseRefcounts(pages, maxPfn);
        return new Store() {
            @Override
            public int populate(long start, long end) {
                return store.populate(start, end, 0);
            }

            @Override
            public RangeRefcounts counts() {
                return store;
            }
        };
    }

    private static Store mutant(StoreMutant store) {
        return new Store() {
            @Override
            public int populate(long start, long end) {
                return store.populate(start, end);
            }

            @Override
            public RangeRefcounts counts() {
                return store;
            }
        };
    }

    /** The rule holds for the store and for the mutants' base, and fails for the mutant. */
    private static void killed(
            BiFunction<PageAllocator, Long, StoreMutant> mutant, Function<Lab, Boolean> rule) {
        assertThat(holds(rule, StoreRegressionsTest::real)).as("the store").isTrue();
        assertThat(holds(rule, (pages, max) -> mutant(new StoreMutant(pages, max))))
                .as("the mutants' base")
                .isTrue();
        assertThat(holds(rule, (pages, max) -> mutant(mutant.apply(pages, max))))
                .as("the mutant")
                .isFalse();
    }

    private static boolean holds(
            Function<Lab, Boolean> rule, BiFunction<PageAllocator, Long, Store> maker) {
        try {
            return rule.apply(new Lab(maker));
        } catch (IllegalStateException | IndexOutOfBoundsException e) {
            return false; // what would be a fault in the kernel
        }
    }

    private static final class Lab {
        final PageAllocator pages =
                new PageAllocator(
                        new PhysicalMemory(),
                        List.of(List.of(new AddressRange(1L << 20, 64L << 20))));
        private final BiFunction<PageAllocator, Long, Store> maker;

        Lab(BiFunction<PageAllocator, Long, Store> maker) {
            this.maker = maker;
        }

        Store store(long maxPfn) {
            return maker.apply(pages, maxPfn);
        }

        long used() {
            return pages.usedPages(PageUse.REFCOUNTS);
        }
    }

    @Test
    @DisplayName("R-01: a counter page beyond the block is populated and never freed")
    void r01_blockThatEndsWithItsPage_populatesNoPageBeyond() {
        killed(
                StoreMutant.R01InclusiveEnd::new,
                lab -> {
                    Store store = lab.store(4 * FRAMES_PER_PAGE);
                    store.populate(0, FRAMES_PER_PAGE);
                    boolean onePage = lab.used() == 1;
                    store.populate(3 * FRAMES_PER_PAGE, 4 * FRAMES_PER_PAGE);
                    return onePage && lab.used() == 2;
                });
    }

    @Test
    @DisplayName("R-02: a block whose only counter begins a page gets no page at all")
    void r02_counterAtTheStartOfAPage_isPopulated() {
        killed(
                StoreMutant.R02EmptyAfterRounding::new,
                lab -> {
                    Store store = lab.store(0x80001);
                    return store.populate(0x80000, 0x80001) == Errno.OK
                            && lab.used() == 1
                            && store.counts().read(0x80000) == 0;
                });
    }

    @Test
    @DisplayName("R-03: the last, partial 2M range has no counter")
    void r03_maxPfnInsideARange_hasACounterForIt() {
        killed(
                StoreMutant.R03FlooredCounters::new,
                lab -> {
                    long maxPfn = (1L << 28) + 1;
                    Store store = lab.store(maxPfn);
                    return store.populate(maxPfn - 1, maxPfn) == Errno.OK
                            && store.counts().read(maxPfn - 1) == 0;
                });
    }

    @Test
    @DisplayName("R-04: teardown forgets the page of the last, partial 2M range")
    void r04_lastPartialRangeOnAPageOfItsOwn_isFreed() {
        killed(
                StoreMutant.R04FlooredTeardown::new,
                lab -> {
                    Store store = lab.store(FRAMES_PER_PAGE + 1);
                    store.populate(0, FRAMES_PER_PAGE + 1);
                    store.counts().release();
                    return lab.used() == 0;
                });
    }

    @Test
    @DisplayName("R-06: the second block of a page replaces it and loses the first one's counts")
    void r06_neighboursShareAPage_itKeepsItsCounts() {
        killed(
                StoreMutant.R06PopulatesTwice::new,
                lab -> {
                    Store store = lab.store(FRAMES_PER_PAGE);
                    store.populate(0, 512);
                    store.counts().set(0, 7);
                    store.populate(512, 1024);
                    return store.counts().read(0) == 7 && lab.used() == 1;
                });
    }

    @Test
    @DisplayName("R-07: freeing meets slots that were never populated and frees garbage")
    void r07_holesAndHalfWayFailure_freeExactlyWhatWasTaken() {
        killed(
                StoreMutant.R07FreesEmptySlots::new,
                lab -> {
                    Store store = lab.store(20 * FRAMES_PER_PAGE);
                    store.populate(0, 512);
                    lab.pages.setGate(FailureInjection.from(2));
                    boolean failed =
                            store.populate(10 * FRAMES_PER_PAGE, 15 * FRAMES_PER_PAGE)
                                    == Errno.ENOMEM;
                    boolean three = lab.used() == 3;
                    store.counts().release();
                    return failed && three && lab.used() == 0;
                });
    }

    @Test
    @DisplayName("R-08: counters begin at random, so that get succeeds without a pair")
    void r08_newCounters_areZero() {
        killed(
                StoreMutant.R08NotZeroed::new,
                lab -> {
                    Store store = lab.store(FRAMES_PER_PAGE);
                    store.populate(0, FRAMES_PER_PAGE);
                    return !store.counts().incNotZero(0) && store.counts().read(512) == 0;
                });
    }

    @Test
    @DisplayName("R-09: a page is allocated for a slot that is populated already")
    void r09_populatedSlot_asksForNoPage() {
        Lab lab = new Lab(StoreRegressionsTest::real);
        Store store = lab.store(FRAMES_PER_PAGE);
        store.populate(0, 512);
        FailureInjection counting = FailureInjection.nth(-1);
        lab.pages.setGate(counting);
        store.populate(512, FRAMES_PER_PAGE);
        assertThat(counting.seen()).isZero();
    }
}
