// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.bench;

import dev.seamlab.bench.yardstick.Words;
import dev.seamlab.host.HostAuditor;
import dev.seamlab.host.HostPolicy;
import dev.seamlab.host.TdxHost;
import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.init.TdxInitException;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.kernel.KernelLog;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.host.pamt.PairSource;
import dev.seamlab.host.pamt.PamtBacking;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Pfn;
import dev.seamlab.machine.profile.BuiltInProfiles;
import dev.seamlab.seam.SeamcallListener;
import dev.seamlab.vmm.RawMachine;
import java.util.List;
import java.util.Locale;
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
 * tdx_pamt_get and tdx_pamt_put of each variant. An operation is a get <em>and</em> its put, two
 * atomic updates; the yardstick beside it, variant {@code bare-cas}, is two compare-and-sets on a
 * word of its own line, and {@code bare-inc-not-zero} increment-unless-zero and a compare-and-set.
 *
 * <p>{@code fromZero} of {@code lock-avoiding} with two threads on the {@code same} range fails its
 * own check sooner or later: that is R-16, which the variant has as posted.
 */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Fork(
        value = 1,
        jvmArgs = {Flags.MIN_SMALL, Flags.MAX_SMALL, Flags.PRETOUCH, Flags.PARALLEL, Flags.UNSAFE})
@Warmup(iterations = 4, time = 300, timeUnit = TimeUnit.MILLISECONDS)
@Measurement(iterations = 8, time = 300, timeUnit = TimeUnit.MILLISECONDS)
@State(Scope.Benchmark)
public class GetPut {
    private static final int PAIRS = 1 << 14;
    private static final int RANGES = 8;
    private static final int STRIDE = 16;

    /** Serialisation of get and put, or {@code static}, or a yardstick. */
    @Param({
        "bare-cas",
        "bare-inc-not-zero",
        "static",
        "global-lock",
        "lock-avoiding",
        "dec-and-lock",
        "always-lock"
    })
    public String variant;

    /** {@code one} thread; two on the {@code same} range; two on {@code different} ranges. */
    @Param({"one", "same", "different"})
    public String threads;

    private int members;
    private Crew crew;
    private Worker worker;

    /** Does a member's share of pairs, on a range that is backed anyway or on one that is not. */
    private interface Worker {
        void hot(int member, int pairs);

        void fromZero(int member, int pairs);

        void close();
    }

    /** Once. */
    @Setup
    public void prepare() {
        members = threads.equals("one") ? 1 : 2;
        boolean same = threads.equals("same");
        crew = new Crew(members);
        worker =
                switch (variant) {
                    case "bare-cas" -> new BareCas(same);
                    case "bare-inc-not-zero" -> new BareIncNotZero(same);
                    default -> new Backing(variant, members, same);
                };
    }

    /** At the end. */
    @TearDown
    public void end() {
        worker.close();
        crew.close();
    }

    /** The crew stands ready for the fast path. */
    @State(Scope.Thread)
    public static class Hot {
        private Crew crew;

        /** Before each pass. */
        @Setup(Level.Invocation)
        public void arm(GetPut bench) {
            crew = bench.crew;
            crew.arm(member -> bench.worker.hot(member, PAIRS / bench.members));
        }
    }

    /** The crew stands ready for ranges that nobody holds. */
    @State(Scope.Thread)
    public static class FromZero {
        private Crew crew;

        /** Before each pass. */
        @Setup(Level.Invocation)
        public void arm(GetPut bench) {
            crew = bench.crew;
            crew.arm(member -> bench.worker.fromZero(member, PAIRS / bench.members));
        }
    }

    /** The fast path: the range stays backed. */
    @Benchmark
    @OperationsPerInvocation(PAIRS)
    public void backed(Hot armed, Tally tally) {
        armed.crew.run(tally, PAIRS);
    }

    /** 0 to 1 to 0: PAMT.ADD and PAMT.REMOVE, and a page pair from the allocator and back. */
    @Benchmark
    @OperationsPerInvocation(PAIRS)
    public void fromZero(FromZero armed, Tally tally) {
        armed.crew.run(tally, PAIRS);
    }

    private static int firstRange(int member, boolean same) {
        return same ? 0 : member * RANGES;
    }

    private abstract static class Bare implements Worker {
        final int[] words = new int[(2 * RANGES + 1) * STRIDE];
        private final boolean same;

        Bare(boolean same) {
            this.same = same;
            for (int r = 1; r <= 2 * RANGES; r++) {
                words[r * STRIDE] = 1;
            }
        }

        final int at(int member, int i) {
            return (1 + firstRange(member, same) + (same ? 0 : i & (RANGES - 1))) * STRIDE;
        }

        @Override
        public void fromZero(int member, int pairs) {
            hot(member, pairs);
        }

        @Override
        public void close() {
            for (int r = 1; r <= 2 * RANGES; r++) {
                if (words[r * STRIDE] != 1) {
                    throw new IllegalStateException("a count was lost");
                }
            }
        }
    }

    private static final class BareCas extends Bare {
        BareCas(boolean same) {
            super(same);
        }

        @Override
        public void hot(int member, int pairs) {
            for (int i = 0; i < pairs; i++) {
                int at = at(member, i);
                add(at, 1);
                add(at, -1);
            }
        }

        private void add(int at, int delta) {
            int seen = Words.acquire(words, at);
            while (!Words.cas(words, at, seen, seen + delta)) {
                seen = Words.acquire(words, at);
            }
        }
    }

    private static final class BareIncNotZero extends Bare {
        BareIncNotZero(boolean same) {
            super(same);
        }

        @Override
        public void hot(int member, int pairs) {
            for (int i = 0; i < pairs; i++) {
                int at = at(member, i);
                if (!Words.incNotZero(words, at)) {
                    throw new IllegalStateException("nobody holds the range");
                }
                int seen = Words.acquire(words, at);
                while (!Words.cas(words, at, seen, seen - 1)) {
                    seen = Words.acquire(words, at);
                }
            }
        }
    }

    private static final class Backing implements Worker {
        private final TdxHost host;
        private final PamtBacking backing;
        private final PairSource pairs;
        private final HostCpu[] cpus;
        private final boolean same;
        private final @Pfn long first;
        private final @Pfn long firstBare;

        Backing(String variant, int members, boolean same) {
            this.same = same;
            var machine =
                    RawMachine.switchOn(
                                    BuiltInProfiles.byName("server-256g"), SeamcallListener.NONE)
                            .machine();
            try {
                host = TdxHost.bringUp(machine, policy(variant), KernelLog.SILENT);
            } catch (TdxInitException e) {
                throw new IllegalStateException(e);
            }
            backing = host.backing();
            pairs = host.sleepingPairs(0);
            cpus = new HostCpu[members];
            for (int i = 0; i < members; i++) {
                cpus[i] = host.cpus().claim(i);
            }
            // These stay backed, by the first page of each ...
            first = ranges();
            for (int r = 0; r < 2 * RANGES; r++) {
                Lab.ok("get", backing.get(cpus[0], page(first, r, 0), pairs));
            }
            // ... and these are not.
            firstBare = ranges();
        }

        private static HostPolicy policy(String variant) {
            boolean dynamic = !variant.equals("static");
            return new HostPolicy(
                    dynamic ? HostPolicy.Pamt.DYNAMIC : HostPolicy.Pamt.STATIC,
                    dynamic
                            ? HostPolicy.GetPut.valueOf(
                                    variant.replace('-', '_').toUpperCase(Locale.ROOT))
                            : HostPolicy.GetPut.DEC_AND_LOCK,
                    HostPolicy.Refcounts.SPARSE,
                    HostPolicy.Pool.MIXED_POOL,
                    HostPolicy.Install.AT_FAULT);
        }

        private @Pfn long ranges() {
            return host.pages()
                    .allocateRange(
                            0,
                            2L * RANGES * Addresses.PAGES_PER_RANGE,
                            Addresses.PAGES_PER_RANGE,
                            PageUse.HOST);
        }

        private static @Pfn long page(@Pfn long base, int range, int index) {
            return base + (long) range * Addresses.PAGES_PER_RANGE + index;
        }

        @Override
        public void hot(int member, int count) {
            cycle(member, count, first);
        }

        @Override
        public void fromZero(int member, int count) {
            cycle(member, count, firstBare);
        }

        private void cycle(int member, int count, @Pfn long base) {
            HostCpu cpu = cpus[member];
            int range = firstRange(member, same);
            for (int i = 0; i < count; i++) {
                long pfn = page(base, range + (same ? 0 : i & (RANGES - 1)), 1 + member);
                if (backing.get(cpu, pfn, pairs) != Errno.OK) {
                    throw new IllegalStateException("get failed");
                }
                backing.put(cpu, pfn);
            }
        }

        /**
         * No count may be lost. The pages are the host's, so the auditor, for whom each count is a
         * page of the module, comes when none is left.
         */
        @Override
        public void close() {
            if (host.isDynamicPamt() && host.refcounts().isPresent()) {
                for (int r = 0; r < 2 * RANGES; r++) {
                    int held = host.refcounts().get().read(page(first, r, 0));
                    int bare = host.refcounts().get().read(page(firstBare, r, 0));
                    if (held != 1 || bare != 0) {
                        throw new IllegalStateException(
                                "a count of 1 is " + held + ", a count of 0 is " + bare);
                    }
                }
            }
            for (int r = 0; r < 2 * RANGES; r++) {
                backing.put(cpus[0], page(first, r, 0));
            }
            for (long base : new long[] {first, firstBare}) {
                host.pages().freeRange(base, 2L * RANGES * Addresses.PAGES_PER_RANGE, PageUse.HOST);
            }
            for (HostCpu cpu : cpus) {
                host.cpus().release(cpu);
            }
            List<String> findings = HostAuditor.audit(host);
            if (!findings.isEmpty()) {
                throw new IllegalStateException(String.join("; ", findings));
            }
        }
    }
}
