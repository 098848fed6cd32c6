// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.bench;

import dev.seamlab.kvm.FaultSeat;
import dev.seamlab.kvm.KvmStats.Counter;
import dev.seamlab.kvm.KvmTdx;
import dev.seamlab.machine.Addresses;
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

/** Private pages that go away again: with their TD, and by conversion to shared and back. */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Fork(
        value = 1,
        jvmArgs = {
            Flags.MIN_LARGE,
            Flags.MAX_LARGE,
            Flags.YOUNG_LARGE,
            Flags.PRETOUCH,
            Flags.PARALLEL,
            Flags.UNSAFE
        })
@Warmup(iterations = 6, time = 500, timeUnit = TimeUnit.MILLISECONDS)
@Measurement(iterations = 8, time = 500, timeUnit = TimeUnit.MILLISECONDS)
@State(Scope.Benchmark)
public class Departure {
    private static final int PAGES = 1 << 15;

    /** Variants of the host. */
    @Param({"static", "v4", "v4-base", "v4-as-posted", "v6", "merged"})
    public String preset;

    private final int[] pages = Order.IN_ORDER.of(PAGES);
    private Lab lab;
    private KvmTdx td;
    private FaultSeat seat;

    /** Once. */
    @Setup
    public void prepare() {
        // Without the partial-write erratum, whose reset of each page is another matter.
        lab = new Lab("server-256g", preset);
    }

    /** A TD with all pages mapped, for each invocation. */
    @Setup(Level.Invocation)
    public void fresh() {
        lab.destroyAll();
        td = lab.td((long) PAGES << Addresses.PAGE_SHIFT, 0);
        seat = new FaultSeat(td, lab.vcpus().getFirst());
        seat.fault(pages, 0, PAGES, 1);
        expect(PAGES);
    }

    private void expect(long mapped) {
        if (td.stats().get(Counter.PRIVATE_PAGES) != mapped) {
            throw new IllegalStateException(
                    td.stats().get(Counter.PRIVATE_PAGES) + " pages are mapped, not " + mapped);
        }
    }

    /** At the end. */
    @TearDown
    public void end() {
        lab.close();
    }

    /**
     * Teardown of a TD, per page: RECLAIM, put, and back to the allocator; control pages and tables
     * are in it.
     */
    @Benchmark
    @OperationsPerInvocation(PAGES)
    public void destroy(Tally tally) {
        tally.begin();
        lab.destroy(td);
        tally.end(PAGES);
        expect(0);
    }

    /** How many pages are converted in one step. */
    @State(Scope.Benchmark)
    public static class Step {
        /** Pages: 1 as a guest's bounce buffer does, 512 as its balloon. */
        @Param({"1", "512"})
        public int step;
    }

    /**
     * The round trip of a page: to shared (BLOCK, TRACK, REMOVE, WBINVD, put, punched), to private,
     * and faulted in again.
     */
    @Benchmark
    @OperationsPerInvocation(PAGES)
    public void convert(Step steps, Tally tally) {
        int step = steps.step;
        long bytes = (long) step << Addresses.PAGE_SHIFT;
        tally.begin();
        for (int page = 0; page < PAGES; page += step) {
            long gpa = (long) page << Addresses.PAGE_SHIFT;
            Lab.ok("to shared", td.setMemoryAttributes(gpa, bytes, false));
            Lab.ok("punch", td.punch(gpa, bytes, true));
            Lab.ok("to private", td.setMemoryAttributes(gpa, bytes, true));
            Lab.ok("punch", td.punch(gpa, bytes, false));
            seat.fault(pages, page, page + step, 1);
        }
        tally.end(PAGES);
        expect(PAGES);
        if (td.stats().get(Counter.ZAPS) != PAGES) {
            throw new IllegalStateException(td.stats().get(Counter.ZAPS) + " pages were zapped");
        }
    }
}
