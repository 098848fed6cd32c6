// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.bench;

import dev.seamlab.bench.RawTd.Phase;
import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Pfn;
import dev.seamlab.seam.abi.GlobalField;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * The hot leaves one by one, from the host's wrapper to the status word, on one CPU. Each
 * invocation is one pass of a leaf over 4,096 pages (512 tables, 1,024 ranges); what brings the
 * pages to the state that the leaf wants happens before the clock runs. Every status must be
 * SUCCESS, and the auditor looks at the host afterwards.
 */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Fork(
        value = 1,
        jvmArgs = {Flags.MIN_SMALL, Flags.MAX_SMALL, Flags.PRETOUCH, Flags.PARALLEL, Flags.UNSAFE})
@Warmup(iterations = 4, time = 300, timeUnit = TimeUnit.MILLISECONDS)
@Measurement(iterations = 8, time = 300, timeUnit = TimeUnit.MILLISECONDS)
public class SeamcallLeaves {
    private static final int CALLS = RawTd.PAGES;
    private static final int RANGES = 1024;

    /** MRTD, first word. */
    private static final long FIELD_MRTD = 0x1310_0003_0000_0000L;

    /** A host, and a CPU of it that the benchmark holds. */
    @State(Scope.Benchmark)
    public static class Host {
        /** Variants of the host; the leaves are the module's, so what counts is static or not. */
        @Param("v4")
        public String preset;

        Lab lab;
        HostCpu cpu;

        /** Once. */
        @Setup
        public void prepare() {
            lab = new Lab("server-256g", preset);
            cpu = lab.host().cpus().claim(0);
        }

        /** At the end. */
        @TearDown
        public void end() {
            lab.host().cpus().release(cpu);
            lab.audit();
        }
    }

    /** A TD with pages. */
    @State(Scope.Benchmark)
    public static class Td {
        RawTd td;

        /** Once. */
        @Setup
        public void prepare(Host host) {
            td = new RawTd(host.lab.host(), host.cpu);
        }

        /** At the end. */
        @TearDown
        public void end(Host host) {
            td.close();
        }
    }

    /** Pages that the TD does not have. */
    @State(Scope.Thread)
    public static class Absent {
        RawTd td;

        /** Before each pass. */
        @Setup(Level.Invocation)
        public void bring(Td state) {
            td = state.td;
            td.bring(Phase.ABSENT);
        }
    }

    /** Pages that wait for ACCEPT. */
    @State(Scope.Thread)
    public static class Pending {
        RawTd td;

        /** Before each pass; a page that was mapped has to go first. */
        @Setup(Level.Invocation)
        public void bring(Td state) {
            td = state.td;
            td.bring(Phase.ABSENT);
            td.bring(Phase.PENDING);
        }
    }

    /** Accepted pages. */
    @State(Scope.Thread)
    public static class Mapped {
        RawTd td;

        /** Before each pass. */
        @Setup(Level.Invocation)
        public void bring(Td state) {
            td = state.td;
            td.bring(Phase.MAPPED);
        }
    }

    /** Pages that are blocked and tracked. */
    @State(Scope.Thread)
    public static class Blocked {
        RawTd td;

        /** Before each pass. */
        @Setup(Level.Invocation)
        public void bring(Td state) {
            td = state.td;
            td.bring(Phase.MAPPED);
            td.bring(Phase.BLOCKED);
        }
    }

    /** TDH.MEM.PAGE.AUG at 4K. */
    @Benchmark
    @OperationsPerInvocation(CALLS)
    public void memPageAug(Absent pages, Tally tally) {
        tally.begin();
        pages.td.augment();
        tally.end(CALLS);
    }

    /** TDG.MEM.PAGE.ACCEPT at 4K, all in one entry. */
    @Benchmark
    @OperationsPerInvocation(CALLS)
    public void tdgMemPageAccept(Pending pages, Tally tally) {
        tally.begin();
        pages.td.accept();
        tally.end(CALLS);
    }

    /** TDH.MEM.RANGE.BLOCK at 4K. */
    @Benchmark
    @OperationsPerInvocation(CALLS)
    public void memRangeBlock(JustBlocked pages, Tally tally) {
        tally.begin();
        pages.td.blockOnly();
        tally.end(CALLS);
    }

    /** Accepted pages that are going to be blocked, and then tracked. */
    @State(Scope.Thread)
    public static class JustBlocked {
        RawTd td;

        /** Before each pass. */
        @Setup(Level.Invocation)
        public void bring(Td state) {
            td = state.td;
            td.bring(Phase.MAPPED);
        }

        /** After it. */
        @TearDown(Level.Invocation)
        public void track() {
            td.track();
        }
    }

    /** TDH.MEM.TRACK with no vCPU inside. */
    @Benchmark
    @OperationsPerInvocation(CALLS)
    public void memTrack(Mapped pages, Tally tally) {
        tally.begin();
        for (int i = 0; i < CALLS; i++) {
            pages.td.track();
        }
        tally.end(CALLS);
    }

    /** TDH.MEM.PAGE.REMOVE at 4K. */
    @Benchmark
    @OperationsPerInvocation(CALLS)
    public void memPageRemove(Blocked pages, Tally tally) {
        tally.begin();
        pages.td.remove();
        tally.end(CALLS);
    }

    /** TDH.MEM.RANGE.UNBLOCK at 4K. */
    @Benchmark
    @OperationsPerInvocation(CALLS)
    public void memRangeUnblock(Blocked pages, Tally tally) {
        tally.begin();
        pages.td.unblock();
        tally.end(CALLS);
    }

    /** TDH.PHYMEM.PAGE.RDMD at 4K. */
    @Benchmark
    @OperationsPerInvocation(CALLS)
    public void phymemPageRdmd(Mapped pages, Tally tally) {
        tally.begin();
        long owned = pages.td.readMetadata();
        tally.end(CALLS);
        if (owned != CALLS) {
            throw new IllegalStateException("the TD owns " + owned + " of its pages");
        }
    }

    /** TDH.PHYMEM.PAGE.WBINVD. */
    @Benchmark
    @OperationsPerInvocation(CALLS)
    public void phymemPageWbinvd(Absent pages, Tally tally) {
        tally.begin();
        pages.td.writeBack();
        tally.end(CALLS);
    }

    /** TDH.VP.ENTER, TDG.VP.VMCALL, TD exit. */
    @Benchmark
    @OperationsPerInvocation(CALLS)
    public void vpEnter(Td state, Tally tally) {
        tally.begin();
        state.td.roundTrips(CALLS);
        tally.end(CALLS);
    }

    /** TDH.MNG.RD of a word of MRTD. */
    @Benchmark
    @OperationsPerInvocation(CALLS)
    public void mngRd(Td state, Host host, Tally tally) {
        tally.begin();
        for (int i = 0; i < CALLS; i++) {
            RawTd.ok(host.lab.host().tdh().mng().rd(host.cpu, state.td.tdr(), FIELD_MRTD));
        }
        tally.end(CALLS);
    }

    /** TDH.SYS.RD of TDX_FEATURES0. */
    @Benchmark
    @OperationsPerInvocation(CALLS)
    public void sysRd(Host host, Tally tally) {
        tally.begin();
        for (int i = 0; i < CALLS; i++) {
            RawTd.ok(host.lab.host().tdh().sys().rd(host.cpu, GlobalField.TDX_FEATURES0.id()));
        }
        tally.end(CALLS);
    }

    /** No tables above the pages' range. */
    @State(Scope.Thread)
    public static class NoTables {
        RawTd td;

        /** Before each pass. */
        @Setup(Level.Invocation)
        public void bring(Td state) {
            td = state.td;
        }

        /** After it. */
        @TearDown(Level.Invocation)
        public void remove() {
            td.removeTables();
        }
    }

    /** TDH.MEM.SEPT.ADD of tables with 512 entries of 4K. */
    @Benchmark
    @OperationsPerInvocation(RawTd.TABLES)
    public void memSeptAdd(NoTables tables, Tally tally) {
        tally.begin();
        tables.td.addTables();
        tally.end(RawTd.TABLES);
    }

    /** A TD whose KeyID is released, with pages still to be reclaimed; a fresh one each time. */
    @State(Scope.Thread)
    public static class Released {
        RawTd td;

        /** Before each pass. */
        @Setup(Level.Invocation)
        public void build(Host host) {
            td = new RawTd(host.lab.host(), host.cpu);
            td.bring(Phase.MAPPED);
            td.release();
        }

        /** After it. */
        @TearDown(Level.Invocation)
        public void close() {
            td.close();
        }
    }

    /** TDH.PHYMEM.PAGE.RECLAIM of 4K pages. */
    @Benchmark
    @OperationsPerInvocation(CALLS)
    public void phymemPageReclaim(Released pages, Tally tally) {
        tally.begin();
        pages.td.reclaim();
        tally.end(CALLS);
    }

    /** Free 2 MiB ranges, and page pairs for them. */
    @State(Scope.Benchmark)
    public static class Ranges {
        private Host host;
        private @Pfn long first;
        private final @Pfn long[] pairs = new long[2 * RANGES];
        private boolean isBacked;

        /** Once. */
        @Setup
        public void prepare(Host lab) {
            host = lab;
            var pages = lab.lab.host().pages();
            first =
                    pages.allocateRange(
                            0,
                            (long) RANGES * Addresses.PAGES_PER_RANGE,
                            Addresses.PAGES_PER_RANGE,
                            PageUse.HOST);
            for (int i = 0; i < pairs.length; i++) {
                pairs[i] = pages.allocate(0, PageUse.HOST);
            }
        }

        /** At the end. */
        @TearDown
        public void end(Host lab) {
            bring(false);
            var pages = lab.lab.host().pages();
            pages.freeRange(first, (long) RANGES * Addresses.PAGES_PER_RANGE, PageUse.HOST);
            for (long page : pairs) {
                pages.free(page, PageUse.HOST);
            }
        }

        void bring(boolean backed) {
            if (backed && !isBacked) {
                add();
            } else if (!backed && isBacked) {
                remove();
            }
        }

        void add() {
            var phymem = host.lab.host().tdh().phymem();
            for (int i = 0; i < RANGES; i++) {
                long range = first + (long) i * Addresses.PAGES_PER_RANGE;
                RawTd.ok(phymem.pamtAdd(host.cpu, range, pairs[2 * i], pairs[2 * i + 1]));
            }
            isBacked = true;
        }

        void remove() {
            var phymem = host.lab.host().tdh().phymem();
            for (int i = 0; i < RANGES; i++) {
                long range = first + (long) i * Addresses.PAGES_PER_RANGE;
                RawTd.ok(phymem.pamtRemove(host.cpu, range));
                if (Addresses.pfn(host.cpu.regs().rdx()) != pairs[2 * i]) {
                    throw new IllegalStateException("PAMT.REMOVE gave another page");
                }
            }
            isBacked = false;
        }
    }

    /** Ranges without a page pair. */
    @State(Scope.Thread)
    public static class Bare {
        Ranges ranges;

        /** Before each pass. */
        @Setup(Level.Invocation)
        public void bring(Ranges state) {
            ranges = state;
            ranges.bring(false);
        }
    }

    /** Ranges with a page pair. */
    @State(Scope.Thread)
    public static class Backed {
        Ranges ranges;

        /** Before each pass. */
        @Setup(Level.Invocation)
        public void bring(Ranges state) {
            ranges = state;
            ranges.bring(true);
        }
    }

    /** TDH.PHYMEM.PAMT.ADD; the 4K entries that appear are the bytes per operation. */
    @Benchmark
    @OperationsPerInvocation(RANGES)
    public void phymemPamtAdd(Bare state, Tally tally) {
        tally.begin();
        state.ranges.add();
        tally.end(RANGES);
    }

    /** TDH.PHYMEM.PAMT.REMOVE. */
    @Benchmark
    @OperationsPerInvocation(RANGES)
    public void phymemPamtRemove(Backed state, Tally tally) {
        tally.begin();
        state.ranges.remove();
        tally.end(RANGES);
    }
}
