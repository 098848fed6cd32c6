// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.pamt;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.host.Hosts;
import dev.seamlab.host.Preset;
import dev.seamlab.host.TdxHost;
import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.init.TdxInitException;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.kernel.KernelLog;
import dev.seamlab.host.mem.FailureInjection;
import dev.seamlab.host.mem.PageAllocator;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.host.tdh.SeamcallErrno;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Machine;
import dev.seamlab.machine.PhysicalMemory;
import dev.seamlab.machine.Seam;
import dev.seamlab.machine.profile.AddressRange;
import dev.seamlab.machine.profile.MachineProfile;
import dev.seamlab.machine.profile.ModuleProfile;
import dev.seamlab.seam.TdxModule;
import dev.seamlab.seam.abi.GlobalField;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.StatusCode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.function.LongUnaryOperator;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The museum's wing of defects that need one thread: each is run as it was and as it is; the first
 * must be caught, the second must not. {@code docs/museum.md} shows what these runs print.
 */
class HostMuseumTest {
    private static final String HEADING = "## One thread: the host";
    private static final long MIB = 1L << 20;
    private static final long FRAMES_PER_PAGE = StoreMutant.COUNTERS_PER_PAGE * 512;
    private static final long PFN = 64 * 512;

    /** Layout of TDMR_INFO with sixteen reserved areas (facts: module ABI section 4.2). */
    private static final int RESERVED_AREAS = 64;

    private static final int TDMR_INFO_BYTES = 64 + 16 * 16;

    /** What was done so far, and what was found first. */
    static final class Tour {
        private final List<String> done = new ArrayList<>();
        private @Nullable String symptom;
        private int steps;
        private Runnable leave = () -> {};

        /** Works on a CPU from here to the end of the visit. */
        HostCpu claim(TdxHost host) {
            HostCpu cpu = host.cpus().claim(0);
            leave = () -> host.cpus().release(cpu);
            return cpu;
        }

        /** Says what comes next. */
        void does(String what) {
            if (symptom == null) {
                done.add(what);
            }
        }

        /** What somebody looks at, and whether it is as it should be. */
        void sees(String symptomIfNot, boolean holds) {
            if (symptom == null && !holds) {
                symptom = symptomIfNot;
                steps = done.size();
            }
        }
    }

    private interface Visit {
        void go(Tour tour, boolean asItWas) throws TdxInitException;
    }

    private static PageAllocator pages() {
        return new PageAllocator(
                new PhysicalMemory(), List.of(List.of(new AddressRange(MIB, 64 * MIB))));
    }

    private interface StoreMaker {
        StoreMutant make(PageAllocator pages, long maxPfn);
    }

    private static StoreMutant store(
            PageAllocator pages, long maxPfn, boolean asItWas, StoreMaker mutant) {
        return asItWas ? mutant.make(pages, maxPfn) : new StoreMutant(pages, maxPfn);
    }

    private static long used(PageAllocator pages) {
        return pages.usedPages(PageUse.REFCOUNTS);
    }

    private static Machine machine(MachineProfile profile, UnaryOperator<Seam> between) {
        Machine machine = new Machine(profile);
        machine.load(between.apply(new TdxModule(machine)));
        return machine;
    }

    private static TdxHost host(MachineProfile profile) throws TdxInitException {
        return TdxHost.bringUp(
                machine(profile, seam -> seam), Preset.V4.policy(), KernelLog.SILENT);
    }

    /** A module that has Dynamic PAMT, and room for so many TDMRs and reserved areas. */
    private static ModuleProfile module(int maxTdmrs, int maxReserved) {
        ModuleProfile v = ModuleProfile.V1_5_25;
        return new ModuleProfile(
                "museum",
                v.major(),
                v.minor(),
                v.update(),
                v.features0(),
                true,
                maxTdmrs,
                maxReserved,
                v.pamtEntrySize(),
                v.bitmapBitsPerPage(),
                v.tdcsPages(),
                v.tdvpsPages(),
                v.maxVcpusPerTd());
    }

    /** Stands for a kernel that did not look at what it had read: the field says what it likes. */
    private static UnaryOperator<Seam> believes(GlobalField field, LongUnaryOperator value) {
        return module ->
                (cpu, regs) -> {
                    boolean ours =
                            (regs.rax() & 0xFFFF) == Leaf.SYS_RD.number()
                                    && regs.rdx() == field.id(0);
                    long status = module.call(cpu, regs);
                    if (ours) {
                        regs.r8(value.applyAsLong(regs.r8()));
                        regs.rax(Status.SUCCESS);
                        return Status.SUCCESS;
                    }
                    return status;
                };
    }

    /** A CPU that faults at SEAMCALL, as the kernel's wrapper reports it. */
    private static Seam raises(long status) {
        return (cpu, regs) -> {
            regs.rax(status);
            return status;
        };
    }

    /** R-33: both halves are masked, so the made-up status of every fault looks like #GP. */
    private static final class R33ComparesByMask implements SeamcallErrno {
        @Override
        public int of(long status) {
            return looksLike(status, GENERAL_PROTECTION)
                    ? Errno.EOPNOTSUPP
                    : looksLike(status, INVALID_OPCODE) ? Errno.EACCES : KERNEL.of(status);
        }

        private static boolean looksLike(long status, long fault) {
            return (status & Status.CODE_MASK) == (fault & Status.CODE_MASK);
        }
    }

    /**
     * Bring-up is refused by the module at SYS.CONFIG; or the kernel finds out by itself before.
     */
    private static void bringUp(Tour tour, Machine machine) {
        tour.does("bring-up");
        try {
            TdxHost.bringUp(machine, Preset.V4.policy(), KernelLog.SILENT);
        } catch (TdxInitException e) {
            tour.sees(
                    "the module refuses " + e.step() + ": " + Status.show(e.status()),
                    e.status() == Status.SUCCESS);
        }
    }

    private static PairSource pairs(PageAllocator pages, boolean asItWas, PairSource wrong) {
        return asItWas ? wrong : new AllocatorPairs(pages, 0);
    }

    private static void halfAPair(Tour tour, PageAllocator pages, PairSource source) {
        pages.setGate(FailureInjection.nth(1));
        tour.does("a pair, whose second page is refused");
        boolean taken = source.take(new long[2]);
        pages.setGate(FailureInjection.nth(-1));
        tour.sees("a pair of one page", !taken);
        tour.sees("the allocator's books: a page is lost", pages.freePages() == pages.totalPages());
    }

    /** get and put of a host, by the merged variant or a mutant of it. */
    private static final class GetPut {
        final TdxHost host;
        final RangeRefcounts counts;
        final HostCpu cpu;
        final PamtBacking backing;
        final List<Long> reset = new ArrayList<>();

        GetPut(Tour tour, boolean asItWas, BackingMutant.Maker mutant) throws TdxInitException {
            Machine machine =
                    machine(
                            Hosts.with(
                                    ModuleProfile.V1_5_25, true, new AddressRange(MIB, 256 * MIB)),
                            seam -> seam);
            host = TdxHost.bringUp(machine, Preset.V4.policy(), KernelLog.SILENT);
            counts = host.refcounts().orElseThrow();
            PageReset noting =
                    new PageReset(machine.memory(), true) {
                        @Override
                        public void reset(long pfn) {
                            reset.add(pfn);
                            super.reset(pfn);
                        }
                    };
            PairPages pages = new PairPages(host.pages(), noting, KernelLog.SILENT);
            BackingMutant.Maker maker = asItWas ? mutant : BackingMutant::new;
            backing = maker.make(counts, host.tdh().phymem(), pages, host.pages());
            cpu = tour.claim(host);
        }

        int get(long pfn) {
            return backing.get(cpu, pfn, host.sleepingPairs(0));
        }
    }

    /** A defect and the visit that shows it. */
    enum Exhibit {
        R01(
                "counter page beyond the block",
                (tour, asItWas) -> {
                    PageAllocator pages = pages();
                    StoreMutant store =
                            store(
                                    pages,
                                    4 * FRAMES_PER_PAGE,
                                    asItWas,
                                    StoreMutant.R01InclusiveEnd::new);
                    tour.does("populate a block that ends with its counter page");
                    store.populate(0, FRAMES_PER_PAGE);
                    tour.sees("books: a page too many", used(pages) == 1);
                }),
        R02(
                "no page for a counter that begins one",
                (tour, asItWas) -> {
                    PageAllocator pages = pages();
                    StoreMutant store =
                            store(pages, 0x80001, asItWas, StoreMutant.R02EmptyAfterRounding::new);
                    tour.does("populate the block of frame 0x80000");
                    store.populate(0x80000, 0x80001);
                    tour.does("read its counter");
                    store.read(0x80000);
                }),
        R03(
                "no counter for the last, partial range",
                (tour, asItWas) -> {
                    long maxPfn = (1L << 28) + 1;
                    StoreMutant store =
                            store(pages(), maxPfn, asItWas, StoreMutant.R03FlooredCounters::new);
                    tour.does("populate the last frame, (1<<28)+1");
                    store.populate(maxPfn - 1, maxPfn);
                    tour.does("read its counter");
                    store.read(maxPfn - 1);
                }),
        R04(
                "teardown floors where set-up rounds up",
                (tour, asItWas) -> {
                    PageAllocator pages = pages();
                    StoreMutant store =
                            store(
                                    pages,
                                    FRAMES_PER_PAGE + 1,
                                    asItWas,
                                    StoreMutant.R04FlooredTeardown::new);
                    tour.does("populate up to a frame whose counter begins a page");
                    store.populate(0, FRAMES_PER_PAGE + 1);
                    tour.does("tear down");
                    store.release();
                    tour.sees("books: a page is lost", used(pages) == 0);
                }),
        R05(
                "refcounts walked although there are none",
                (tour, asItWas) -> {
                    TdxHost host =
                            host(
                                    Hosts.with(
                                            ModuleProfile.V1_5_16,
                                            false,
                                            new AddressRange(MIB, 256 * MIB)));
                    tour.does("a module without Dynamic PAMT");
                    tour.does("walk the counters");
                    if (asItWas) {
                        host.refcounts().orElseThrow().forEachTouched((pfn, count) -> {});
                    } else {
                        host.refcounts()
                                .ifPresent(counts -> counts.forEachTouched((pfn, count) -> {}));
                    }
                }),
        R06(
                "a shared counter page populated twice",
                (tour, asItWas) -> {
                    PageAllocator pages = pages();
                    StoreMutant store =
                            store(
                                    pages,
                                    FRAMES_PER_PAGE,
                                    asItWas,
                                    StoreMutant.R06PopulatesTwice::new);
                    tour.does("populate a block");
                    store.populate(0, 512);
                    tour.does("count 7 users");
                    store.set(0, 7);
                    tour.does("populate its neighbour");
                    store.populate(512, 1024);
                    tour.sees("the counts are gone", store.read(0) == 7);
                }),
        R07(
                "depopulate meets empty slots",
                (tour, asItWas) -> {
                    PageAllocator pages = pages();
                    StoreMutant store =
                            store(
                                    pages,
                                    20 * FRAMES_PER_PAGE,
                                    asItWas,
                                    StoreMutant.R07FreesEmptySlots::new);
                    tour.does("populate a block");
                    store.populate(0, 512);
                    tour.does("tear down, holes included");
                    store.release();
                }),
        R09(
                "a page is asked for before looking",
                (tour, asItWas) -> {
                    PageAllocator pages = pages();
                    StoreMutant store = new StoreMutant(pages, FRAMES_PER_PAGE);
                    tour.does("populate a block");
                    store.populate(0, 512);
                    FailureInjection asked = FailureInjection.nth(-1);
                    pages.setGate(asked);
                    tour.does("populate its neighbour");
                    if (asItWas) {
                        pages.free(pages.allocate(0, PageUse.REFCOUNTS), PageUse.REFCOUNTS);
                    }
                    store.populate(512, FRAMES_PER_PAGE);
                    tour.sees("an allocation that was not needed", asked.seen() == 0);
                }),
        R10(
                "a frame aligned with 2 MiB of bytes",
                (tour, asItWas) -> {
                    GetPut lab =
                            new GetPut(tour, asItWas, BackingMutant.R10AlignsFrameWithBytes::new);
                    tour.does("get of a page");
                    lab.get(PFN + 511);
                    tour.sees("the pair is in another range", lab.counts.read(PFN) == 1);
                }),
        R12(
                "half a pair leaks",
                (tour, asItWas) -> {
                    PageAllocator pages = pages();
                    PairSource forgets =
                            pair -> {
                                pair[0] = pages.allocate(0, PageUse.PAMT_PAIR);
                                pair[1] = pages.allocate(0, PageUse.PAMT_PAIR);
                                return pair[1] != PageAllocator.NONE;
                            };
                    halfAPair(tour, pages, pairs(pages, asItWas, forgets));
                }),
        R18(
                "pair pages freed without reset",
                (tour, asItWas) -> {
                    GetPut lab = new GetPut(tour, asItWas, BackingMutant.R18FreesWithoutReset::new);
                    tour.does("get");
                    lab.get(PFN);
                    tour.does("put");
                    lab.backing.put(lab.cpu, PFN);
                    tour.sees(
                            "pages with the module's keys are free: poison on erratum parts",
                            lab.reset.size() == 2);
                }),
        R20(
                "unwind uses the wrong index",
                (tour, asItWas) -> {
                    PageAllocator pages = pages();
                    PairSource wrongIndex =
                            pair -> {
                                pair[0] = pages.allocate(0, PageUse.PAMT_PAIR);
                                pair[1] = pages.allocate(0, PageUse.PAMT_PAIR);
                                if (pair[1] == PageAllocator.NONE) {
                                    pages.free(pair[1], PageUse.PAMT_PAIR);
                                    return false;
                                }
                                return true;
                            };
                    halfAPair(tour, pages, pairs(pages, asItWas, wrongIndex));
                }),
        R21(
                "control page without accounting",
                (tour, asItWas) -> {
                    GetPut lab = new GetPut(tour, false, BackingMutant::new);
                    tour.does("a control page");
                    if (asItWas) {
                        long page = lab.host.pages().allocate(lab.cpu, PageUse.HOST);
                        lab.get(page);
                    } else {
                        lab.host.controlPages().allocate(lab.cpu);
                    }
                    tour.sees(
                            "nobody is charged for it",
                            lab.host.pages().usedPages(PageUse.CONTROL) == 1);
                }),
        R33(
                "#UD and #GP of SEAMCALL told apart by mask",
                (tour, asItWas) -> {
                    tour.does("SEAMCALL raises #UD: the CPU is not in VMX operation");
                    Machine machine =
                            machine(Hosts.small(), seam -> raises(SeamcallErrno.INVALID_OPCODE));
                    int errno = Errno.OK;
                    try {
                        Hosts.bringUp(
                                machine, asItWas ? new R33ComparesByMask() : SeamcallErrno.KERNEL);
                    } catch (TdxInitException e) {
                        errno = e.errno();
                    }
                    tour.sees(
                            "taken for #GP, of a CPU without TDX: "
                                    + Errno.name(errno)
                                    + " instead of EACCES",
                            errno == Errno.EACCES);
                }),
        R45(
                "a field that the module need not have is read",
                (tour, asItWas) -> {
                    TdxHost host =
                            host(
                                    Hosts.with(
                                            ModuleProfile.V1_5_16,
                                            false,
                                            new AddressRange(MIB, 256 * MIB)));
                    tour.does("a module without Dynamic PAMT");
                    HostCpu cpu = tour.claim(host);
                    if (asItWas || host.isDynamicPamt()) {
                        tour.does("SYS.RD of the bitmap's entry size");
                        long status =
                                host.tdh()
                                        .sys()
                                        .rd(cpu, GlobalField.PAMT_PAGE_BITMAP_ENTRY_BITS.id(0));
                        tour.sees("refused: " + Status.show(status), status == Status.SUCCESS);
                    }
                }),
        R46(
                "an unreadable field taken for zero",
                (tour, asItWas) -> {
                    UnaryOperator<Seam> zero =
                            believes(GlobalField.PAMT_PAGE_BITMAP_ENTRY_BITS, bits -> 0);
                    bringUp(tour, machine(Hosts.small(), asItWas ? zero : seam -> seam));
                }),
        R47(
                "8 GiB of counters, failure not looked at",
                (tour, asItWas) -> {
                    PageAllocator pages = pages();
                    FlatRefcounts flat = new FlatRefcounts(pages, 1L << 40);
                    tour.does("memory at the top of the 52-bit space");
                    if (flat.allocate() == Errno.OK || asItWas) {
                        tour.does("count a user");
                        flat.set(512, 1);
                    }
                }),
        R48(
                "PAMT chunk not reserved in its TDMR",
                (tour, asItWas) -> {
                    Machine machine = machine(Hosts.small(), seam -> seam);
                    if (asItWas) {
                        machine.observe(module -> forgetsReserved(machine.memory(), module));
                    }
                    bringUp(tour, machine);
                }),
        R49(
                "more TDMRs than the module takes",
                (tour, asItWas) -> {
                    MachineProfile twoGibs =
                            Hosts.with(
                                    module(asItWas ? 1 : 64, 16),
                                    false,
                                    new AddressRange(MIB, 256 * MIB),
                                    new AddressRange(4096 * MIB, 4400 * MIB));
                    bringUp(
                            tour,
                            machine(
                                    twoGibs,
                                    asItWas
                                            ? believes(GlobalField.MAX_TDMRS, max -> 64)
                                            : seam -> seam));
                }),
        R50(
                "last CPU of a package goes offline",
                (tour, asItWas) -> {
                    TdxHost host = host(Hosts.twoPackages());
                    int keyId = host.keyIds().allocate();
                    tour.does("a KeyID is in use");
                    tour.does("the CPUs of package 1 go offline");
                    for (int cpu = 2; cpu < 4; cpu++) {
                        if (asItWas) {
                            host.machine().cpus().get(cpu).setOnline(false);
                        } else {
                            host.offline(cpu);
                        }
                    }
                    tour.does("its caches are to be written back");
                    host.cpus().release(host.cpus().claimOnPackage(1));
                    host.keyIds().free(keyId);
                }),
        R51(
                "get and put chosen before the features are known",
                (tour, asItWas) -> {
                    TdxHost host = host(Hosts.small());
                    HostCpu cpu = tour.claim(host);
                    tour.does("a control page");
                    PamtBacking backing = asItWas ? new StaticBacking() : host.backing();
                    long page = new ControlPages(host.pages(), backing).allocate(cpu);
                    tour.does("MNG.CREATE");
                    long status =
                            host.tdh()
                                    .mng()
                                    .create(cpu, Addresses.hpa(page), host.keyIds().allocate());
                    tour.sees("refused: " + Status.show(status), status == Status.SUCCESS);
                });

        private final String defect;
        private final Visit visit;

        Exhibit(String defect, Visit visit) {
            this.defect = defect;
            this.visit = visit;
        }

        /** Writes the reserved areas out of the list of TDMRs before SYS.CONFIG reads it. */
        private static Seam forgetsReserved(PhysicalMemory memory, Seam module) {
            return (cpu, regs) -> {
                if ((regs.rax() & 0xFFFF) == Leaf.SYS_CONFIG.number()) {
                    for (int i = 0; i < regs.rdx(); i++) {
                        long info = memory.readLong(regs.rcx() + 8L * i);
                        for (int at = RESERVED_AREAS; at < TDMR_INFO_BYTES; at += 8) {
                            memory.writeLong(info + at, 0);
                        }
                    }
                }
                return module.call(cpu, regs);
            };
        }

        Tour run(boolean asItWas) {
            Tour tour = new Tour();
            try {
                visit.go(tour, asItWas);
            } catch (IllegalStateException
                    | IndexOutOfBoundsException
                    | NoSuchElementException raised) {
                // What would be a fault in the kernel.
                tour.sees("raised: " + raised.getClass().getSimpleName(), false);
            } catch (TdxInitException e) {
                throw new AssertionError(e);
            } finally {
                tour.leave.run();
            }
            return tour;
        }

        String row() {
            Tour tour = run(true);
            return "| "
                    + String.join(
                            " | ",
                            name().replace("R", "R-"),
                            defect,
                            String.join("; ", tour.done),
                            String.valueOf(tour.symptom),
                            Integer.toString(tour.steps))
                    + " |";
        }
    }

    @ParameterizedTest
    @EnumSource(Exhibit.class)
    void exhibit_isCaughtAsItWas_andNotAsItIs(Exhibit exhibit) {
        assertThat(exhibit.run(true).symptom).as("as it was").isNotNull();
        assertThat(exhibit.run(false).symptom).as("as it is").isNull();
    }

    /** To renew the table, copy what this test writes below target. */
    @Test
    void theTableInTheDocs_isWhatRunningPrints() throws IOException {
        List<String> rows = new ArrayList<>();
        for (Exhibit exhibit : Exhibit.values()) {
            rows.add(exhibit.row());
        }
        Path written = Path.of("target/museum-host-rows.md");
        Files.write(written, rows);
        List<String> page = Files.readAllLines(Path.of("../docs/museum.md"));
        int from = page.indexOf(HEADING);
        assertThat(from).as("the heading \"" + HEADING + "\"").isNotNegative();
        assertThat(
                        page.subList(from + 1, page.size()).stream()
                                .takeWhile(line -> !line.startsWith("## "))
                                .filter(line -> line.startsWith("| R-")))
                .as("docs/museum.md against " + written)
                .containsExactlyElementsOf(rows);
    }

    @Test
    void statusesOfTheExhibits_areThoseOfTheModule() {
        assertThat(Exhibit.R51.run(true).symptom)
                .contains(StatusCode.MISSING_PAMT_PAGE_PAIR.name());
    }
}
