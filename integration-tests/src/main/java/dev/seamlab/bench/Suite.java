// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.bench;

import java.util.ArrayList;
import java.util.List;
import org.openjdk.jmh.runner.options.ChainedOptionsBuilder;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;

/**
 * What the report runs: each line a benchmark with the parameters that its table needs, and no
 * more.
 *
 * @param name regular expression of the benchmark
 * @param params key and values by comma, in turn
 */
record Suite(String name, List<String> params) {
    /** Iterations to warm up, and as many to measure. */
    private static final int ITERATIONS = 4;

    /** The same for faults: two threads leave the compiler no CPU, so it takes its time. */
    private static final int FAULT_ITERATIONS = 8;

    /** All of it, in the order of the report. */
    static List<Suite> all() {
        List<Suite> all = new ArrayList<>();
        all.add(
                of(
                        "Yardsticks.fault",
                        "order",
                        "in-order",
                        "shape",
                        "one,tds-one-gib,td-halves,td-alternate"));
        all.add(of("Yardsticks.fault", "order", "random", "shape", "one"));

        all.add(of("PrivateFault.fault", "order", "in-order", "shape", "one"));
        all.add(
                of(
                        "PrivateFault.fault",
                        "order",
                        "in-order",
                        "preset",
                        "static,v4,merged",
                        "shape",
                        "tds-one-gib,tds-apart,td-halves,td-alternate"));
        all.add(of("PrivateFault.fault", "order", "random", "preset", "static,v4", "shape", "one"));
        all.add(
                of(
                        "PrivateFault.acceptAndTouch",
                        "order",
                        "in-order",
                        "preset",
                        "static,v4,merged",
                        "shape",
                        "one"));
        all.add(
                of(
                        "PrivateFault.acceptAndTouch",
                        "order",
                        "in-order",
                        "preset",
                        "v4",
                        "shape",
                        "tds-one-gib,tds-apart,td-halves"));
        all.add(of("ScatteredFault.fault", "preset", "static,v4,merged", "shape", "one,tds-apart"));

        all.add(of("Departure.destroy", "preset", "static,v4,merged"));
        all.add(of("Departure.convert", "preset", "static,v4", "step", "1,512"));

        all.add(
                of(
                        "GetPut.backed",
                        "variant",
                        "bare-cas,bare-inc-not-zero,global-lock,lock-avoiding,dec-and-lock,"
                                + "always-lock"));
        // Two threads on one range are left out for lock-avoiding: R-16 breaks its counts.
        all.add(
                of(
                        "GetPut.fromZero",
                        "threads",
                        "one,different",
                        "variant",
                        "global-lock,lock-avoiding,dec-and-lock,always-lock"));
        all.add(
                of(
                        "GetPut.fromZero",
                        "threads",
                        "same",
                        "variant",
                        "global-lock,dec-and-lock,always-lock"));
        all.add(of("Allocator"));
        all.add(of("SeamcallLeaves"));
        all.add(of("HostStart.warm"));
        all.add(of("HostStart.cold", "profile", "server-6t"));
        return all;
    }

    private static Suite of(String name, String... params) {
        return new Suite(name, List.of(params));
    }

    /** As JMH wants it: short iterations, one process each. */
    ChainedOptionsBuilder options(boolean large) {
        TimeValue time = TimeValue.milliseconds(large ? 300 : 200);
        ChainedOptionsBuilder builder =
                new OptionsBuilder()
                        .include(
                                "\\."
                                        + name.replace(".", "\\.")
                                        + (name.contains(".") ? "$" : "\\."))
                        .shouldFailOnError(true);
        for (int i = 0; i < params.size(); i += 2) {
            builder = builder.param(params.get(i), params.get(i + 1).split(",", -1));
        }
        if (name.equals("HostStart.cold")) {
            return builder.forks(3);
        }
        int iterations = name.startsWith("PrivateFault") ? FAULT_ITERATIONS : ITERATIONS;
        return builder.forks(1)
                .warmupIterations(iterations)
                .measurementIterations(iterations)
                .warmupTime(time)
                .measurementTime(time);
    }
}
