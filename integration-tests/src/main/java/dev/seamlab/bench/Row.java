// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.bench;

import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.openjdk.jmh.infra.BenchmarkParams;
import org.openjdk.jmh.results.Result;
import org.openjdk.jmh.results.RunResult;

/**
 * One figure of the report.
 *
 * @param benchmark class and method
 * @param params what it was run with
 * @param score time per operation
 * @param error half of its 99.9 % confidence interval; NaN where there is none
 * @param unit of both
 * @param calm time per operation in nanoseconds, of the median invocation in which each thread had
 *     a core of its own; NaN where there was none, or nobody looked
 * @param calmPart which part of the invocations that was
 * @param cpu CPU time per operation in nanoseconds, all threads together; NaN where not measured
 * @param bytes allocated per operation; NaN where not measured
 */
record Row(
        String benchmark,
        Map<String, String> params,
        double score,
        double error,
        String unit,
        double calm,
        double calmPart,
        double cpu,
        double bytes) {

    /** With fewer, chance decides which invocation stands for all. */
    private static final int FEWEST_CALM = 5;

    /** Where fewer were calm, most of those that seem so were disturbed as well. */
    private static final double SMALLEST_CALM_PART = 0.1;

    static Row of(RunResult run) {
        BenchmarkParams params = run.getParams();
        Map<String, String> known = new TreeMap<>();
        for (String key : params.getParamsKeys()) {
            known.put(key, params.getParam(key));
        }
        String name = params.getBenchmark();
        double calmInvocations = secondary(run, "calmInvocations");
        double calmPart = calmInvocations / secondary(run, "invocations");
        boolean isCalm = calmInvocations >= FEWEST_CALM && calmPart >= SMALLEST_CALM_PART;
        double operations = secondary(run, "operations");
        Result<?> primary = run.getPrimaryResult();
        return new Row(
                name.substring(Row.class.getPackageName().length() + 1),
                known,
                primary.getScore(),
                primary.getScoreError(),
                primary.getScoreUnit(),
                isCalm
                        ? secondary(run, "calmNanos") / secondary(run, "calmOperations")
                        : Double.NaN,
                calmPart,
                secondary(run, "cpuNanos") / operations,
                secondary(run, "allocatedBytes") / operations);
    }

    private static double secondary(RunResult run, String label) {
        Result<?> result = run.getSecondaryResults().get(label);
        return result == null ? Double.NaN : result.getScore();
    }

    /** What to compare: the calm time where there is one. */
    double time() {
        return Double.isNaN(calm) ? score : calm;
    }

    String param(String key) {
        return params.getOrDefault(key, "");
    }

    /** Whether this is a benchmark with these parameters, given as key and value in turn. */
    boolean is(String name, String... wanted) {
        if (!benchmark.equals(name)) {
            return false;
        }
        for (int i = 0; i < wanted.length; i += 2) {
            if (!param(wanted[i]).equals(wanted[i + 1])) {
                return false;
            }
        }
        return true;
    }

    String paramsText() {
        return params.entrySet().stream()
                .filter(entry -> !entry.getKey().equals("gib") || !entry.getValue().equals("1"))
                .map(entry -> entry.getValue())
                .collect(Collectors.joining(", "));
    }
}
