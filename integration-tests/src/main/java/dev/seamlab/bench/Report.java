// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.bench;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/** All figures of one run, as people or programs read them. */
final class Report {
    private final List<Row> rows;
    private final Duration took;
    private final Goals goals;

    Report(List<Row> rows, Duration took) {
        this.rows = rows;
        this.took = took;
        this.goals = new Goals(rows);
    }

    void markdown(PrintStream out) {
        out.println(machine());
        out.println();
        if (rows.stream().anyMatch(row -> row.benchmark().startsWith("Yardsticks"))) {
            out.println("| goal | wanted | reached | |");
            out.println("|---|---|---|---|");
            for (Goals.Goal goal : goals.all()) {
                out.printf(
                        "| %s | %s | %s | %s |%n",
                        goal.what(), goal.bound(), goal.reached(), goal.isMet() ? "yes" : "**no**");
            }
            out.println();
        }
        out.println("| benchmark | with | time | ± | calm | CPU ns/op | B/op | ratio |");
        out.println("|---|---|---|---|---|---|---|---|");
        for (Row row : rows) {
            out.printf(
                    "| %s | %s | %s %s | %s | %s | %s | %s | %s |%n",
                    row.benchmark(),
                    row.paramsText(),
                    number(row.score()),
                    row.unit(),
                    number(row.error()),
                    calm(row),
                    number(row.cpu()),
                    number(row.bytes()),
                    goals.ratio(row));
        }
    }

    private static String calm(Row row) {
        if (Double.isNaN(row.calmPart())) {
            return "";
        }
        return String.format(Locale.ROOT, "%s (%.0f %%)", number(row.calm()), 100 * row.calmPart())
                .trim();
    }

    void json(PrintStream out) {
        out.println("{");
        out.println("  \"machine\": " + quote(machine()) + ",");
        out.println("  \"goals\": [");
        out.println(
                goals.all().stream()
                        .map(goal ->
                                "    {\"goal\": "
                                        + quote(goal.what())
                                        + ", \"wanted\": "
                                        + quote(goal.bound())
                                        + ", \"reached\": "
                                        + plain(goal.value())
                                        + ", \"met\": "
                                        + goal.isMet()
                                        + "}")
                        .collect(Collectors.joining(",\n")));
        out.println("  ],");
        out.println("  \"results\": [");
        out.println(rows.stream().map(Report::json).collect(Collectors.joining(",\n")));
        out.println("  ]");
        out.println("}");
    }

    private static String json(Row row) {
        String params =
                row.params().entrySet().stream()
                        .map(param -> quote(param.getKey()) + ": " + quote(param.getValue()))
                        .collect(Collectors.joining(", "));
        return "    {\"benchmark\": "
                + quote(row.benchmark())
                + ", \"params\": {"
                + params
                + "}, \"score\": "
                + plain(row.score())
                + ", \"error\": "
                + plain(row.error())
                + ", \"unit\": "
                + quote(row.unit())
                + ", \"calm\": "
                + plain(row.calm())
                + ", \"calmPart\": "
                + plain(row.calmPart())
                + ", \"cpuNanosPerOp\": "
                + plain(row.cpu())
                + ", \"bytesPerOp\": "
                + plain(row.bytes())
                + "}";
    }

    private static String plain(double value) {
        return Double.isFinite(value) ? Double.toString(value) : "null";
    }

    private static String quote(String text) {
        return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
    }

    private static String number(double value) {
        if (!Double.isFinite(value)) {
            return "";
        }
        double size = Math.abs(value);
        String form = size < 0.005 ? "0" : size < 10 ? "%.2f" : size < 100 ? "%.1f" : "%.0f";
        return String.format(Locale.ROOT, form, value);
    }

    private String machine() {
        Runtime.Version version = Runtime.version();
        String time = took.isZero() ? "" : ", " + took.toSeconds() + " s for all of it";
        return cpu()
                + ", "
                + Runtime.getRuntime().availableProcessors()
                + " CPUs, JDK "
                + version
                + ", ParallelGC, heap fixed and touched"
                + load()
                + time
                + ".";
    }

    private static String load() {
        double load =
                java.lang.management.ManagementFactory.getOperatingSystemMXBean()
                        .getSystemLoadAverage();
        return load < 0 ? "" : String.format(Locale.ROOT, ", load average at the end %.1f", load);
    }

    private static String cpu() {
        Path info = Path.of("/proc/cpuinfo");
        try {
            Map<String, String> first =
                    Files.readAllLines(info).stream()
                            .takeWhile(line -> !line.isBlank())
                            .map(line -> line.split("\\s*:\\s*", 2))
                            .filter(parts -> parts.length == 2)
                            .collect(Collectors.toMap(parts -> parts[0], parts -> parts[1]));
            return first.getOrDefault("model name", "CPU")
                    + " (family "
                    + first.getOrDefault("cpu family", "?")
                    + ", model "
                    + first.getOrDefault("model", "?")
                    + ")";
        } catch (IOException e) {
            return System.getProperty("os.arch");
        }
    }
}
