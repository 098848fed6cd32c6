// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.bench;

import dev.seamlab.bench.yardstick.FaultYardstick;
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

/** Private faults at their cheapest: 1 GiB, each page once, in designs without any project code. */
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
@Warmup(iterations = 4, time = 500, timeUnit = TimeUnit.MILLISECONDS)
@Measurement(iterations = 8, time = 500, timeUnit = TimeUnit.MILLISECONDS)
@State(Scope.Benchmark)
public class Yardsticks {
    /** Faults of one invocation. */
    static final int PAGES = 1 << 18;

    /** Design: {@code floor} (D0), {@code ideal} (D1) or {@code static} (D15). */
    @Param({"floor", "ideal", "static"})
    public String design;

    /** Who faults, see {@code PrivateFault}. */
    @Param({"one", "tds-one-gib", "td-halves", "td-alternate"})
    public String shape;

    /** In which order. */
    @Param({"in-order", "random"})
    public String order;

    private Shape who;
    private int[] pages;
    private Crew crew;
    private FaultYardstick faults;
    private boolean ran;

    /** Once. */
    @Setup
    public void prepare() {
        who = Shape.byName(shape);
        pages = Order.byName(order).of(PAGES / who.tds());
        crew = new Crew(who.threads(), new CoreProbe());
    }

    /** Fresh tables for each invocation. */
    @Setup(Level.Invocation)
    public void fresh() {
        check();
        faults = FaultYardstick.byName(design, who.tds(), PAGES / who.tds());
        ran = false;
        crew.arm(this::serve);
    }

    private void serve(int thread) {
        Shape.Share share = who.share(thread, PAGES);
        int td = who.tdOf(thread);
        for (int i = share.from(); i < share.to(); i += share.step()) {
            if (!faults.fault(thread, td, pages[i])) {
                throw new IllegalStateException("page " + pages[i] + " was mapped already");
            }
        }
    }

    /** Each fault must have mapped its page. */
    private void check() {
        if (ran && faults.mapped() != PAGES) {
            throw new IllegalStateException(faults.mapped() + " pages are mapped of " + PAGES);
        }
    }

    /** At the end. */
    @TearDown
    public void end() {
        check();
        crew.close();
    }

    /** One fault. */
    @Benchmark
    @OperationsPerInvocation(PAGES)
    public void fault(Tally tally) {
        crew.run(tally, PAGES);
        ran = true;
    }
}
