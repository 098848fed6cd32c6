// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.mem;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.host.Hosts;
import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.cpu.HostCpus;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Machine;
import dev.seamlab.machine.PhysicalMemory;
import dev.seamlab.machine.profile.AddressRange;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;

/**
 * The allocator against a set of free page numbers: what it hands out was free, what it refuses is
 * not there, and its books say what happened. Where pages come from is {@link PlacementTest}'s.
 */
class PageAllocatorOracleTest {
    private static final long GIB_PAGES = Addresses.GIB >>> Addresses.PAGE_SHIFT;

    /** Few pages, spread so that zones, GiB borders, bitmap words and holes all matter. */
    private static final List<List<AddressRange>> RAM =
            List.of(
                    List.of(
                            pages(300, 330),
                            pages(383, 450),
                            pages(GIB_PAGES - 40, GIB_PAGES + 70),
                            pages(3 * GIB_PAGES, 3 * GIB_PAGES + 5),
                            pages(4 * GIB_PAGES - 20, 4 * GIB_PAGES + 90)),
                    List.of(pages(4 * GIB_PAGES + 90, 4 * GIB_PAGES + 200)));

    private static final PageUse[] USES = {PageUse.CONTROL, PageUse.SEPT, PageUse.GUEST_PRIVATE};

    sealed interface Op {
        record Take(int node, int use) implements Op {}

        record TakeOnCpu(int cpu, int use) implements Op {}

        record TakeRange(int node, int pages, int alignmentShift, int use) implements Op {}

        record Free(int which, int cpu) implements Op {}
    }

    private record Run(long first, long pages, PageUse use) {}

    private static final class Books {
        final TreeSet<Long> free = new TreeSet<>();
        final Map<Long, PageUse> used = new TreeMap<>();
        final List<Run> runs = new ArrayList<>();

        void took(long first, long pages, PageUse use) {
            for (long pfn = first; pfn < first + pages; pfn++) {
                assertThat(free.remove(pfn)).as("page %d was free", pfn).isTrue();
                used.put(pfn, use);
            }
            runs.add(new Run(first, pages, use));
        }

        void freed(Run run) {
            for (long pfn = run.first; pfn < run.first + run.pages; pfn++) {
                used.remove(pfn);
                free.add(pfn);
            }
        }
    }

    @Property(tries = 300)
    void anyProgram_keepsTheBooks(@ForAll("programs") List<Op> program) {
        HostCpus cpus = new HostCpus(new Machine(Hosts.twoPackages()));
        PageAllocator pages = new PageAllocator(new PhysicalMemory(), RAM);
        Books books = new Books();
        RAM.forEach(node ->
                node.forEach(range -> {
                    for (long pfn = range.start() >>> 12; pfn < range.end() >>> 12; pfn++) {
                        books.free.add(pfn);
                    }
                }));
        for (Op op : program) {
            switch (op) {
                case Op.Take(int node, int use) ->
                        single(books, pages.allocate(node, USES[use]), USES[use]);
                case Op.TakeOnCpu(int index, int use) -> {
                    HostCpu cpu = cpus.claim(index);
                    single(books, pages.allocate(cpu, USES[use]), USES[use]);
                    cpus.release(cpu);
                }
                case Op.TakeRange(int node, int count, int shift, int use) -> {
                    long first = pages.allocateRange(node, count, 1L << shift, USES[use]);
                    if (first != PageAllocator.NONE) {
                        assertThat(first % (1L << shift)).isZero();
                        books.took(first, count, USES[use]);
                    }
                }
                case Op.Free(int which, int index) -> free(cpus, pages, books, which, index);
            }
            assertThat(pages.freePages()).isEqualTo(books.free.size());
        }
        for (PageUse use : USES) {
            assertThat(pages.usedPages(use))
                    .isEqualTo(books.used.values().stream().filter(u -> u == use).count());
        }
        books.used.forEach((pfn, use) -> assertThat(pages.useOf(pfn)).isEqualTo(use));
        books.free.forEach(pfn -> assertThat(pages.useOf(pfn)).isNull());
        pages.check((pfn, what) -> assertThat(what).isNull());
        // Whatever was done, all of it can be had again.
        books.runs.forEach(run -> pages.freeRange(run.first, run.pages, run.use));
        for (long i = 0; i < pages.totalPages(); i++) {
            assertThat(pages.allocate(0, PageUse.HOST)).isNotEqualTo(PageAllocator.NONE);
        }
        assertThat(pages.allocate(1, PageUse.HOST)).isEqualTo(PageAllocator.NONE);
    }

    private static void single(Books books, long pfn, PageUse use) {
        if (pfn == PageAllocator.NONE) {
            assertThat(books.free).as("refused although pages are free").isEmpty();
        } else {
            books.took(pfn, 1, use);
        }
    }

    private static void free(
            HostCpus cpus, PageAllocator pages, Books books, int which, int index) {
        if (books.runs.isEmpty()) {
            return;
        }
        Run run = books.runs.remove(which % books.runs.size());
        if (run.pages == 1) {
            HostCpu cpu = cpus.claim(index);
            pages.free(cpu, run.first, run.use);
            cpus.release(cpu);
        } else {
            pages.freeRange(run.first, run.pages, run.use);
        }
        books.freed(run);
    }

    @Provide
    Arbitrary<List<Op>> programs() {
        Arbitrary<Integer> uses = Arbitraries.integers().between(0, USES.length - 1);
        Arbitrary<Integer> two = Arbitraries.integers().between(0, 1);
        Arbitrary<Integer> cpus = Arbitraries.integers().between(0, 3);
        Arbitrary<Op> take = Combinators.combine(two, uses).as(Op.Take::new);
        Arbitrary<Op> onCpu = Combinators.combine(cpus, uses).as(Op.TakeOnCpu::new);
        Arbitrary<Op> takeRange =
                Combinators.combine(
                                two,
                                Arbitraries.integers().between(1, 120),
                                Arbitraries.integers().between(0, 5),
                                uses)
                        .as(Op.TakeRange::new);
        Arbitrary<Op> free =
                Combinators.combine(Arbitraries.integers().between(0, 1000), cpus).as(Op.Free::new);
        return Arbitraries.oneOf(take, onCpu, onCpu, takeRange, free).list().ofMaxSize(200);
    }

    private static AddressRange pages(long from, long to) {
        return new AddressRange(from << 12, to << 12);
    }
}
