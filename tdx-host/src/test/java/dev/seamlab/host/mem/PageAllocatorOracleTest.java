// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.mem;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.PhysicalMemory;
import dev.seamlab.machine.profile.AddressRange;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.NavigableSet;
import java.util.TreeMap;
import java.util.TreeSet;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;

/** The allocator against a set of free page numbers that does the same the slow way. */
class PageAllocatorOracleTest {
    private static final long GIB_PAGES = Addresses.GIB >>> Addresses.PAGE_SHIFT;

    /** Few pages, spread so that GiB borders, bitmap words and holes all matter. */
    private static final List<AddressRange> RAM =
            List.of(
                    pages(300, 330),
                    pages(383, 450),
                    pages(GIB_PAGES - 40, GIB_PAGES + 70),
                    pages(3 * GIB_PAGES, 3 * GIB_PAGES + 5));

    private static final PageUse[] USES = {PageUse.CONTROL, PageUse.SEPT, PageUse.GUEST_PRIVATE};

    sealed interface Op {
        record Take(int use) implements Op {}

        record TakeRange(int pages, int alignmentShift, int use) implements Op {}

        record Free(int which) implements Op {}
    }

    private record Run(long first, long pages, PageUse use) {}

    @Property(tries = 300)
    void anyProgram_doesWhatTheOracleDoes(@ForAll("programs") List<Op> program) {
        PageAllocator pages = new PageAllocator(new PhysicalMemory(), List.of(RAM));
        TreeSet<Long> free = new TreeSet<>();
        for (AddressRange range : RAM) {
            for (long pfn = range.start() >>> 12; pfn < range.end() >>> 12; pfn++) {
                free.add(pfn);
            }
        }
        Map<Long, PageUse> used = new TreeMap<>();
        List<Run> runs = new ArrayList<>();
        for (Op op : program) {
            switch (op) {
                case Op.Take(int use) -> {
                    long expected = free.isEmpty() ? PageAllocator.NONE : free.first();
                    assertThat(pages.allocate(0, USES[use])).isEqualTo(expected);
                    take(free, used, runs, expected, 1, USES[use]);
                }
                case Op.TakeRange(int count, int shift, int use) -> {
                    long expected = highestRun(free, count, 1L << shift);
                    assertThat(pages.allocateRange(0, count, 1L << shift, USES[use]))
                            .isEqualTo(expected);
                    take(free, used, runs, expected, count, USES[use]);
                }
                case Op.Free(int which) -> {
                    if (!runs.isEmpty()) {
                        Run run = runs.remove(which % runs.size());
                        pages.freeRange(run.first, run.pages, run.use);
                        for (long pfn = run.first; pfn < run.first + run.pages; pfn++) {
                            used.remove(pfn);
                            free.add(pfn);
                        }
                    }
                }
            }
        }
        assertThat(pages.freePages()).isEqualTo(free.size());
        for (PageUse use : USES) {
            assertThat(pages.usedPages(use))
                    .isEqualTo(used.values().stream().filter(u -> u == use).count());
        }
        used.forEach((pfn, use) -> assertThat(pages.useOf(pfn)).isEqualTo(use));
        free.forEach(pfn -> assertThat(pages.useOf(pfn)).isNull());
        pages.check((pfn, what) -> assertThat(what).isNull());
    }

    private static void take(
            NavigableSet<Long> free,
            Map<Long, PageUse> used,
            List<Run> runs,
            long first,
            long count,
            PageUse use) {
        if (first == PageAllocator.NONE) {
            return;
        }
        runs.add(new Run(first, count, use));
        for (long pfn = first; pfn < first + count; pfn++) {
            free.remove(pfn);
            used.put(pfn, use);
        }
    }

    private static long highestRun(NavigableSet<Long> free, int count, long alignment) {
        for (long last : free.descendingSet()) {
            long first = last - count + 1;
            if (first % alignment == 0 && free.subSet(first, true, last, true).size() == count) {
                return first;
            }
        }
        return PageAllocator.NONE;
    }

    @Provide
    Arbitrary<List<Op>> programs() {
        Arbitrary<Integer> uses = Arbitraries.integers().between(0, USES.length - 1);
        Arbitrary<Op> take = uses.map(Op.Take::new);
        Arbitrary<Op> takeRange =
                Combinators.combine(
                                Arbitraries.integers().between(1, 120),
                                Arbitraries.integers().between(0, 5),
                                uses)
                        .as(Op.TakeRange::new);
        Arbitrary<Op> free = Arbitraries.integers().between(0, 1000).map(Op.Free::new);
        return Arbitraries.oneOf(take, take, takeRange, free).list().ofMaxSize(150);
    }

    private static AddressRange pages(long from, long to) {
        return new AddressRange(from << 12, to << 12);
    }
}
