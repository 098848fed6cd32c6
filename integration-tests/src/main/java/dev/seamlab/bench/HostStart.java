// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.bench;

import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/**
 * A machine switched on and its host brought up: profile read, module loaded, TDMRs built, PAMT
 * allocated, every TDMR initialised. {@code cold} is the first host of a JVM, the program's own
 * start not counted; {@code warm} the average of many.
 */
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Fork(
        value = 1,
        jvmArgs = {Flags.MIN_SMALL, Flags.MAX_SMALL, Flags.PRETOUCH, Flags.PARALLEL, Flags.UNSAFE})
@State(Scope.Benchmark)
public class HostStart {
    /** Built-in machine. */
    @Param({"laptop-16g", "server-256g", "server-1t", "server-2t-2s", "server-6t", "top-of-52"})
    public String profile;

    /** Static PAMT, or the default. */
    @Param({"static", "v4"})
    public String preset;

    private Lab start() {
        Lab lab = new Lab(profile, preset);
        if (lab.host().isDynamicPamt() == preset.equals("static")
                || lab.host().memoryReport().pamtStaticBytes() == 0) {
            throw new IllegalStateException("not the host that was asked for");
        }
        return lab;
    }

    /** The average of a warm JVM. */
    @Benchmark
    @BenchmarkMode(Mode.AverageTime)
    @Warmup(iterations = 4, time = 300, timeUnit = TimeUnit.MILLISECONDS)
    @Measurement(iterations = 6, time = 300, timeUnit = TimeUnit.MILLISECONDS)
    public Object warm(Tally tally) {
        tally.begin();
        Lab lab = start();
        tally.end(1);
        return lab;
    }

    /** The first host of a JVM. */
    @Benchmark
    @BenchmarkMode(Mode.SingleShotTime)
    @Fork(5)
    @Warmup(iterations = 0)
    @Measurement(iterations = 1)
    public Object cold() {
        return start();
    }
}
