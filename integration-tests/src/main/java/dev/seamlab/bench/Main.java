// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;

/** Runs what the report needs, each benchmark in processes of its own, and prints the tables. */
public final class Main {
    /** Where JMH's own talk goes. */
    private static final String LOG = System.getProperty("bench.log", "bench-report.log");

    private Main() {}

    /** {@code report [markdown|json]} or {@code heap}; the report goes to standard output. */
    public static void main(String[] args) throws IOException {
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        String form = args.length > 1 ? args[1] : "markdown";
        if (args[0].equals("heap")) {
            new Report(heap(), Duration.ZERO).markdown(out);
            return;
        }
        if (!form.equals("markdown") && !form.equals("json")) {
            System.err.println("bench: report as markdown or json, not " + form);
            System.exit(2);
        }
        Instant began = Instant.now();
        boolean failed = false;
        List<Row> rows = new ArrayList<>();
        for (Suite suite : Suite.all()) {
            System.err.println("bench: " + suite.name() + " " + String.join(" ", suite.params()));
            try {
                rows.addAll(run(suite));
            } catch (RunnerException e) {
                // The others are still worth knowing; goals that need this one are not met.
                failed = true;
                System.err.println("bench: failed: " + e.getMessage());
                Files.copy(
                        Path.of(LOG),
                        Path.of(LOG + "." + suite.name()),
                        StandardCopyOption.REPLACE_EXISTING);
            }
        }
        System.err.println("bench: heap");
        rows.addAll(heap());
        Report report = new Report(rows, Duration.between(began, Instant.now()));
        if (form.equals("json")) {
            report.json(out);
        } else {
            report.markdown(out);
        }
        if (failed) {
            System.err.println("bench: not all could be measured; their logs are beside " + LOG);
            System.exit(1);
        }
    }

    private static List<Row> run(Suite suite) throws RunnerException {
        boolean large =
                !suite.name().startsWith("GetPut")
                        && !suite.name().startsWith("SeamcallLeaves")
                        && !suite.name().startsWith("Allocator");
        List<Row> rows = new ArrayList<>();
        for (RunResult result : new Runner(suite.options(large).output(LOG).build()).run()) {
            rows.add(Row.of(result));
        }
        rows.sort(
                Comparator.comparing(Row::benchmark).thenComparing(row -> row.params().toString()));
        return rows;
    }

    /** Memory is measured in a process of its own as well. */
    private static List<Row> heap() throws IOException {
        Process process =
                new ProcessBuilder(
                                ProcessHandle.current().info().command().orElse("java"),
                                Flags.MIN_LARGE,
                                Flags.MAX_LARGE,
                                Flags.PARALLEL,
                                Flags.UNSAFE,
                                "-cp",
                                System.getProperty("java.class.path"),
                                HeapCost.class.getName())
                        .redirectError(ProcessBuilder.Redirect.INHERIT)
                        .start();
        List<Row> rows = new ArrayList<>();
        try (BufferedReader lines =
                new BufferedReader(
                        new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                String[] parts = line.split("\t", -1);
                rows.add(
                        new Row(
                                parts[0],
                                Map.of(),
                                Double.parseDouble(parts[1]),
                                Double.NaN,
                                parts[2],
                                Double.NaN,
                                Double.NaN,
                                Double.NaN,
                                Double.NaN));
            }
        }
        process.destroy();
        if (rows.isEmpty()) {
            throw new IllegalStateException("the measure of memory said nothing");
        }
        return rows;
    }
}
