// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.bench;

import dev.seamlab.kvm.FaultSeat;
import dev.seamlab.kvm.KvmExit;
import dev.seamlab.kvm.KvmStats.Counter;
import dev.seamlab.kvm.KvmTdx;
import dev.seamlab.kvm.KvmVcpu;
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
 * Private 4K faults end to end, on fresh TDs: mirror walk, pool, get, Secure EPT, PAMT, refcount,
 * ABI decode and counters included. An invocation is 262,144 faults, 1 GiB of pages; every fault
 * has to map its page, and the auditor looks at the TDs of the last invocation.
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
public class PrivateFault {
    private static final int PAGES = Yardsticks.PAGES;

    /** Variants of the host. */
    @Param({"static", "v4", "v4-base", "v4-as-posted", "v6", "merged"})
    public String preset;

    /**
     * Who faults: {@code one} vCPU; two TDs whose pages share a GiB of the host ({@code
     * tds-one-gib}) or do not ({@code tds-apart}); one TD whose two vCPUs take a half each ({@code
     * td-halves}) or every other page ({@code td-alternate}).
     */
    @Param({"one", "tds-one-gib", "tds-apart", "td-halves", "td-alternate"})
    public String shape;

    /** In which order. */
    @Param({"in-order", "random"})
    public String order;

    /** Guest memory in all; above 1 GiB an invocation touches the next 1 GiB worth of pages. */
    @Param("1")
    public int gib;

    private Shape who;
    private int slices;
    private int slice;
    private int[] pages;
    private Lab lab;
    private Crew crew;
    private long before;
    private final List<KvmTdx> tds = new ArrayList<>();
    private final List<KvmVcpu> vcpus = new ArrayList<>();
    private final List<FaultSeat> seats = new ArrayList<>();
    private final List<TouchGuest> guests = new ArrayList<>();

    /** Once. */
    @Setup
    public void prepare() {
        who = Shape.byName(shape);
        slices = gib;
        slice = slices;
        pages = Order.byName(order).of(PAGES / who.tds() * slices);
        lab = new Lab(preset);
        crew = new Crew(who.threads(), new CoreProbe());
    }

    /** The next slice of the pages; after the last one, fresh TDs. */
    @Setup(Level.Invocation)
    public void fresh() {
        if (slice == slices) {
            rebuild();
            slice = 0;
        }
        before = faults();
    }

    private void rebuild() {
        lab.destroyAll();
        tds.clear();
        vcpus.clear();
        long bytes = (long) gib * Addresses.GIB / who.tds();
        for (int t = 0; t < who.tds(); t++) {
            int node = who == Shape.TDS_APART ? t : 0;
            int[] cpus = new int[who.vcpus()];
            for (int v = 0; v < cpus.length; v++) {
                cpus[v] = lab.cpu(node, t + v);
            }
            tds.add(lab.td(bytes, cpus));
            vcpus.addAll(lab.vcpus());
        }
        seats.clear();
        guests.clear();
        for (int i = 0; i < vcpus.size(); i++) {
            KvmVcpu vcpu = vcpus.get(i);
            seats.add(new FaultSeat(tds.get(who.tdOf(i)), vcpu));
            TouchGuest guest = new TouchGuest(vcpu);
            guests.add(guest);
            vcpu.bindGuest(guest);
        }
    }

    private Shape.Share share(int thread) {
        return who.share(thread, PAGES).shifted(slice * (PAGES / who.tds()));
    }

    private long faults() {
        long sum = 0;
        for (KvmTdx td : tds) {
            sum += td.stats().get(Counter.PRIVATE_FAULTS);
        }
        return sum;
    }

    /** Every fault of the invocation must have been served, and every page be mapped. */
    @TearDown(Level.Invocation)
    public void check() {
        slice++;
        long served = faults() - before;
        long mapped = 0;
        for (KvmTdx td : tds) {
            mapped += td.stats().get(Counter.PRIVATE_PAGES);
        }
        if (served != PAGES || mapped != (long) PAGES * slice) {
            throw new IllegalStateException(
                    served + " faults served of " + PAGES + ", " + mapped + " pages mapped");
        }
    }

    /** At the end. */
    @TearDown
    public void end() {
        lab.close();
        crew.close();
    }

    /** The members of the crew take their places: part of the invocation's set-up. */
    @State(Scope.Thread)
    public static class Armed {
        private Crew crew;

        /** Hands the work of the faults to the crew. */
        @Setup(Level.Invocation)
        public void arm(PrivateFault bench) {
            crew = bench.crew;
            crew.arm(bench::serve);
        }
    }

    /** The vCPUs are let into the guest: part of the invocation's set-up. */
    @State(Scope.Thread)
    public static class ArmedGuests {
        private Crew crew;

        /** Hands the work of the guests to the crew. */
        @Setup(Level.Invocation)
        public void arm(PrivateFault bench) {
            crew = bench.crew;
            for (int i = 0; i < bench.guests.size(); i++) {
                bench.guests.get(i).plan(bench.pages, bench.share(i));
                bench.vcpus.get(i).allowRun();
            }
            crew.arm(bench::enter);
        }
    }

    private void serve(int thread) {
        Shape.Share share = share(thread);
        seats.get(thread).fault(pages, share.from(), share.to(), share.step());
    }

    private void enter(int thread) {
        KvmExit exit = vcpus.get(thread).run();
        int done = guests.get(thread).done();
        if (!(exit instanceof KvmExit.Interrupted) || done != PAGES / who.threads()) {
            throw new IllegalStateException("after " + done + " pages: " + exit);
        }
    }

    /** The fault path alone, from the decoded EPT violation to the mapped page. */
    @Benchmark
    @OperationsPerInvocation(PAGES)
    public void fault(Armed armed, Tally tally) {
        armed.crew.run(tally, PAGES);
    }

    /** The whole of it: ACCEPT, TD exit, fault, VP.ENTER, ACCEPT again, and a write to the page. */
    @Benchmark
    @OperationsPerInvocation(PAGES)
    public void acceptAndTouch(ArmedGuests armed, Tally tally) {
        armed.crew.run(tally, PAGES);
    }
}
