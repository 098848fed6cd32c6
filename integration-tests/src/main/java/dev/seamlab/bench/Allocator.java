// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.bench;

import dev.seamlab.host.mem.PageAllocator;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.machine.Machine;
import dev.seamlab.machine.Pfn;
import dev.seamlab.machine.profile.BuiltInProfiles;
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

/** Single pages from the host's page allocator, and back. */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Fork(
        value = 1,
        jvmArgs = {Flags.MIN_SMALL, Flags.MAX_SMALL, Flags.PRETOUCH, Flags.PARALLEL, Flags.UNSAFE})
@Warmup(iterations = 4, time = 300, timeUnit = TimeUnit.MILLISECONDS)
@Measurement(iterations = 8, time = 300, timeUnit = TimeUnit.MILLISECONDS)
@State(Scope.Benchmark)
public class Allocator {
    private static final int PAGES = 1 << 14;

    /** {@code one} thread; two on the {@code same} node; two on {@code different} nodes. */
    @Param({"one", "same", "different"})
    public String threads;

    private int members;
    private Crew crew;
    private PageAllocator pages;
    private final @Pfn long[] taken = new long[PAGES];

    /** Once. */
    @Setup
    public void prepare() {
        Machine machine = new Machine(BuiltInProfiles.byName(Lab.PROFILE));
        pages =
                new PageAllocator(
                        machine.memory(),
                        machine.profile().nodes().stream().map(node -> node.memory()).toList());
        members = threads.equals("one") ? 1 : 2;
        crew = new Crew(members);
    }

    private int node(int member) {
        return threads.equals("different") ? member : 0;
    }

    private void take(int member) {
        int node = node(member);
        int share = PAGES / members;
        for (int i = member * share; i < (member + 1) * share; i++) {
            taken[i] = pages.allocate(node, PageUse.GUEST_PRIVATE);
        }
    }

    private void giveBack(int member) {
        int share = PAGES / members;
        for (int i = member * share; i < (member + 1) * share; i++) {
            pages.free(taken[i], PageUse.GUEST_PRIVATE);
        }
    }

    private void all(Crew.Job job) {
        for (int member = 0; member < members; member++) {
            job.run(member);
        }
    }

    private void expect(long used) {
        if (pages.usedPages(PageUse.GUEST_PRIVATE) != used
                || pages.freePages() != pages.totalPages() - used) {
            throw new IllegalStateException("the books do not balance at " + used + " pages");
        }
    }

    /** At the end. */
    @TearDown
    public void end() {
        pages.check((pfn, what) -> {
            throw new IllegalStateException("at frame " + pfn + ": " + what);
        });
        crew.close();
    }

    /** Pages to be taken. */
    @State(Scope.Thread)
    public static class Free {
        private Allocator bench;

        /** Before each pass. */
        @Setup(Level.Invocation)
        public void arm(Allocator allocator) {
            bench = allocator;
            bench.crew.arm(bench::take);
        }

        /** After it. */
        @TearDown(Level.Invocation)
        public void undo() {
            bench.expect(PAGES);
            bench.all(bench::giveBack);
            bench.expect(0);
        }
    }

    /** Pages to be given back. */
    @State(Scope.Thread)
    public static class Taken {
        private Allocator bench;

        /** Before each pass. */
        @Setup(Level.Invocation)
        public void arm(Allocator allocator) {
            bench = allocator;
            bench.all(bench::take);
            bench.expect(PAGES);
            bench.crew.arm(bench::giveBack);
        }

        /** After it. */
        @TearDown(Level.Invocation)
        public void check() {
            bench.expect(0);
        }
    }

    /** One page from the local node. */
    @Benchmark
    @OperationsPerInvocation(PAGES)
    public void allocate(Free state, Tally tally) {
        state.bench.crew.run(tally, PAGES);
    }

    /** One page back. */
    @Benchmark
    @OperationsPerInvocation(PAGES)
    public void free(Taken state, Tally tally) {
        state.bench.crew.run(tally, PAGES);
    }
}
