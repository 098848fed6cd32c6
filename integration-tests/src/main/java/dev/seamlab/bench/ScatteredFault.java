// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.bench;

import dev.seamlab.kvm.FaultSeat;
import dev.seamlab.kvm.KvmStats.Counter;
import dev.seamlab.kvm.KvmTdx;
import dev.seamlab.machine.Addresses;
import java.util.ArrayList;
import java.util.List;
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
 * The first touch of a guest that scatters: one page in each 2 MiB range of 16 GiB, so that every
 * fault links a table first, with a get of its own. The ratio to {@link PrivateFault} is a property
 * of the design, not a failure.
 */
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
public class ScatteredFault {
    private static final int RANGES = 8192;

    /** Variants of the host. */
    @Param({"static", "v4", "v4-base", "v4-as-posted", "v6", "merged"})
    public String preset;

    /** Who faults: {@code one}, {@code tds-one-gib}, {@code tds-apart} or {@code td-halves}. */
    @Param({"one", "tds-one-gib", "tds-apart", "td-halves"})
    public String shape;

    private Shape who;
    private Lab lab;
    private Crew crew;
    private int[] pages;
    private final List<KvmTdx> tds = new ArrayList<>();
    private final List<FaultSeat> seats = new ArrayList<>();

    /** Once. */
    @Setup
    public void prepare() {
        who = Shape.byName(shape);
        lab = new Lab(preset);
        crew = new Crew(who.threads(), new CoreProbe());
        pages = new int[RANGES / who.tds()];
        for (int i = 0; i < pages.length; i++) {
            // Not always the first page of a range.
            pages[i] = i * Addresses.PAGES_PER_RANGE + (i * 37 & (Addresses.PAGES_PER_RANGE - 1));
        }
    }

    /** Fresh TDs for each invocation. */
    @Setup(Level.Invocation)
    public void fresh() {
        lab.destroyAll();
        tds.clear();
        seats.clear();
        for (int t = 0; t < who.tds(); t++) {
            int node = who == Shape.TDS_APART ? t : 0;
            int[] cpus = new int[who.vcpus()];
            for (int v = 0; v < cpus.length; v++) {
                cpus[v] = lab.cpu(node, t + v);
            }
            KvmTdx td = lab.td((long) pages.length << Addresses.RANGE_SHIFT, cpus);
            tds.add(td);
            lab.vcpus().forEach(vcpu -> seats.add(new FaultSeat(td, vcpu)));
        }
        crew.arm(this::serve);
    }

    private void serve(int thread) {
        Shape.Share share = who.share(thread, RANGES);
        seats.get(thread).fault(pages, share.from(), share.to(), share.step());
    }

    /** Every page must be mapped, in a table of its own. */
    @TearDown(Level.Invocation)
    public void check() {
        long mapped = 0;
        long tables = 0;
        for (KvmTdx td : tds) {
            mapped += td.stats().get(Counter.PRIVATE_PAGES);
            tables += td.stats().get(Counter.SEPT_PAGES);
        }
        if (mapped != RANGES || tables <= RANGES) {
            throw new IllegalStateException(mapped + " pages in " + tables + " tables");
        }
    }

    /** At the end. */
    @TearDown
    public void end() {
        lab.close();
        crew.close();
    }

    /** A fault that links a table. */
    @Benchmark
    @OperationsPerInvocation(RANGES)
    public void fault(Tally tally) {
        crew.run(tally, RANGES);
    }
}
