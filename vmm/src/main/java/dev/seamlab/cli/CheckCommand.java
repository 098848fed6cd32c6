// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import dev.seamlab.check.Check;
import dev.seamlab.check.CheckJvm;
import dev.seamlab.check.Counterexample;
import dev.seamlab.check.Exports;
import dev.seamlab.check.Program;
import dev.seamlab.check.RefusedCall;
import dev.seamlab.check.Report;
import dev.seamlab.check.Scenario;
import dev.seamlab.check.Schedule;
import dev.seamlab.check.Variant;
import dev.seamlab.check.Verb;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code seamlab check}. Needs no server. */
@Command(
        name = "check",
        description =
                "Tries every order in which a few threads can run, and shows the shortest that breaks"
                        + " something.",
        footer = {
            "",
            "A program is threads separated by |, of operations separated by ;. On ranges: get rN, put",
            "rN, ... On TDs: fault [tK.]gN, zap gN, ... Range, page and TD 0 may be left out. Or name",
            "a scenario. --list tells all operations, scenarios and variants.",
            "",
            "Exit code 6 where a rule is broken, or with --expect where it is not.",
            "",
            "Examples:",
            "  seamlab check 'put | get; put | get'",
            "  seamlab check --variant lock-avoiding put-get",
            "  seamlab check --variant global-lock --refuse PAMT.ADD=OPERAND_BUSY 'get; put'",
            "  seamlab check --variant v4,merged fault-zap --bound 2 --for 5m",
            "  seamlab check --variant v6 convert-storm --seed 42 --for 8h",
            "  seamlab check --variant lock-avoiding put-get --json hole.json --perfetto hole.trace"
        })
final class CheckCommand implements Callable<Integer> {
    @Spec private CommandSpec spec;

    @Parameters(
            paramLabel = "PROGRAM",
            arity = "0..1",
            description = "A program, or the name of a scenario.")
    private @Nullable String program;

    @Option(names = "--list", description = "Tells operations, scenarios and variants.")
    private boolean list;

    @Option(
            names = "--variant",
            paramLabel = "NAME",
            split = ",",
            defaultValue = "all",
            description =
                    "A variant of get and put, a preset, or all: of get and put for programs on ranges,"
                            + " every preset for programs on TDs (default: ${DEFAULT-VALUE}).")
    private List<String> variants;

    @Option(
            names = "--initial",
            paramLabel = "N",
            split = ",",
            description = "Users of r0, r1, ... at the start (default: as many as the puts need).")
    private List<Integer> initial = new ArrayList<>();

    @Option(
            names = "--refuse",
            paramLabel = "LEAF[#N][=STATUS]",
            description =
                    "The N-th call of a leaf is refused (default: the first, with OPERAND_BUSY).")
    private List<String> refused = new ArrayList<>();

    @Option(
            names = "--bound",
            paramLabel = "N",
            defaultValue = "-1",
            description = "Only schedules with up to N preemptions, instead of all.")
    private int bound;

    @Option(
            names = "--seed",
            paramLabel = "N",
            defaultValue = "0",
            description = "Random schedules (PCT) from this seed, until the time is over.")
    private long seed;

    @Option(
            names = {"--for", "--time-limit"},
            paramLabel = "TIME",
            defaultValue = "60s",
            description = "For each variant, such as 30s, 5m, 8h (default: ${DEFAULT-VALUE}).")
    private String timeLimit;

    @Option(
            names = "--max-schedules",
            paramLabel = "N",
            defaultValue = "9223372036854775807",
            hidden = true,
            description = "For each variant.")
    private long mostSchedules;

    @Option(
            names = "--replay",
            paramLabel = "SCHEDULE",
            description = "Runs this one schedule of one variant, as an earlier run printed it.")
    private @Nullable String replay;

    @Option(names = "--json", paramLabel = "FILE", description = "Writes everything as JSON.")
    private @Nullable Path json;

    @Option(
            names = "--perfetto",
            paramLabel = "FILE",
            description = "Writes the first counterexample for ui.perfetto.dev.")
    private @Nullable Path perfetto;

    @Option(names = "--expect", description = "A broken rule is what should be found.")
    private boolean expect;

    @Override
    public Integer call() throws IOException, InterruptedException {
        if (list) {
            list(spec.commandLine().getOut());
            return ExitCodes.OK;
        }
        String wanted = program;
        if (wanted == null) {
            throw new CommandFailure(
                    ExitCodes.BAD_INPUT, "PROGRAM is missing; --list tells what there is");
        }
        if (!CheckJvm.isThis()) {
            // The whole line, with the command's name.
            return CheckJvm.again(spec.commandLine().getParseResult().originalArgs());
        }
        Program threads = input("PROGRAM", () -> Scenario.program(wanted));
        List<Variant> chosen = new ArrayList<>();
        for (String name : variants) {
            chosen.addAll(input("--variant", () -> Variant.byName(name.trim(), threads.room())));
        }
        Check.Options options =
                new Check.Options(
                        refused.stream()
                                .map(text -> input("--refuse", () -> RefusedCall.parse(text)))
                                .toList(),
                        initial,
                        input("--time-limit", () -> duration(timeLimit)),
                        mostSchedules,
                        bound,
                        seed);
        PrintWriter out = spec.commandLine().getOut();
        out.println("program    " + threads);
        String schedule = replay;
        if (schedule != null) {
            return replay(chosen.getFirst(), threads, options, schedule, out);
        }
        List<Report> reports = new ArrayList<>();
        for (Variant variant : chosen) {
            Check check = input("PROGRAM", () -> new Check(variant, threads, options));
            if (reports.isEmpty()) {
                out.println("initially  " + check.initially());
                out.println();
                out.flush();
            }
            reports.add(check.run(new Ticker(variant.name())));
        }
        print(reports, out);
        write(reports);
        boolean broken = reports.stream().anyMatch(report -> report.counterexample() != null);
        return broken == expect ? ExitCodes.OK : ExitCodes.CHECK_FAILED;
    }

    private static void list(PrintWriter out) {
        Table verbs = new Table(Table.Align.LEFT, Table.Align.LEFT, Table.Align.LEFT);
        verbs.row("operation", "on", "what it does");
        for (Verb verb : Verb.values()) {
            String target =
                    switch (verb.room()) {
                        case PAMT -> "rN";
                        case KVM -> verb.takesTarget() ? "[tK.]gN" : "[tK]";
                    };
            verbs.row(verb.word(), target, verb.meaning());
        }
        verbs.print(out);
        out.println();
        Table scenarios = new Table(Table.Align.LEFT, Table.Align.LEFT, Table.Align.LEFT);
        scenarios.row("scenario", "program", "what happens");
        for (Scenario scenario : Scenario.values()) {
            scenarios.row(scenario.id(), scenario.text(), scenario.description());
        }
        scenarios.print(out);
        out.println();
        Table names = new Table(Table.Align.LEFT, Table.Align.LEFT, Table.Align.LEFT);
        names.row("variant", "by default for", "from");
        for (Verb.Room room : Verb.Room.values()) {
            for (Variant variant : Variant.all(room)) {
                names.row(
                        variant.name(),
                        room == Verb.Room.PAMT ? "ranges" : "TDs",
                        variant.origin());
            }
        }
        names.print(out);
        out.flush();
    }

    private int replay(
            Variant variant,
            Program threads,
            Check.Options options,
            String schedule,
            PrintWriter out) {
        Check check = input("PROGRAM", () -> new Check(variant, threads, options));
        Schedule parsed = input("--replay", () -> Schedule.parse(schedule));
        Counterexample told = input("--replay", () -> check.replay(parsed));
        out.println("initially  " + check.initially());
        out.println();
        Exports.columns(told).forEach(out::println);
        out.flush();
        return told.findings().isEmpty() == expect ? ExitCodes.CHECK_FAILED : ExitCodes.OK;
    }

    private void print(List<Report> reports, PrintWriter out) {
        Table table =
                new Table(
                        Table.Align.LEFT,
                        Table.Align.LEFT,
                        Table.Align.RIGHT,
                        Table.Align.RIGHT,
                        Table.Align.RIGHT,
                        Table.Align.RIGHT,
                        Table.Align.LEFT);
        table.row("variant", "verdict", "schedules", "steps", "time", "per second", "from");
        for (Report report : reports) {
            table.row(
                    report.variant().name(),
                    report.verdict(),
                    Long.toString(report.schedules()),
                    Long.toString(report.steps()),
                    String.format(Locale.ROOT, "%.2f s", report.nanos() / 1e9),
                    Long.toString(report.rate()),
                    report.variant().origin());
        }
        table.print(out);
        for (Report report : reports) {
            Counterexample example = report.counterexample();
            if (example != null) {
                print(report, example, out);
            }
        }
        out.flush();
    }

    private void print(Report report, Counterexample example, PrintWriter out) {
        out.println();
        out.println(
                report.variant().name()
                        + ": "
                        + example.rule().meaning()
                        + (example.preemptions() < 0
                                ? ""
                                : ", with "
                                        + example.preemptions()
                                        + (example.preemptions() == 1
                                                ? " preemption"
                                                : " preemptions")));
        out.println();
        if (example.lines().isEmpty()) {
            // Found after the last schedule: by the audit of a world that all of them left as it
            // was.
            example.findings().forEach(finding -> out.println("  " + finding.text()));
            return;
        }
        Exports.columns(example).forEach(out::println);
        out.println();
        out.println("again: seamlab check " + again(report, example));
    }

    /** Arguments that run the schedule of a counterexample once more. */
    private String again(Report report, Counterexample example) {
        StringBuilder text = new StringBuilder("--variant ").append(report.variant().name());
        if (!initial.isEmpty()) {
            text.append(" --initial ")
                    .append(initial.stream().map(String::valueOf).collect(Collectors.joining(",")));
        }
        refused.forEach(call -> text.append(" --refuse '").append(call).append('\''));
        return text.append(" '")
                .append(report.program())
                .append("' --replay ")
                .append(example.schedule())
                .toString();
    }

    private void write(List<Report> reports) throws IOException {
        if (json != null) {
            Files.writeString(json, Exports.json(reports));
        }
        Path trace = perfetto;
        for (Report report : reports) {
            Counterexample example = report.counterexample();
            if (trace != null && example != null) {
                Files.writeString(trace, Exports.perfetto(report, example));
                return;
            }
        }
    }

    private static Duration duration(String text) {
        String number = text.substring(0, Math.max(0, text.length() - 1));
        char unit = text.isEmpty() ? '?' : text.charAt(text.length() - 1);
        try {
            return switch (unit) {
                case 's' -> Duration.ofSeconds(Long.parseLong(number));
                case 'm' -> Duration.ofMinutes(Long.parseLong(number));
                case 'h' -> Duration.ofHours(Long.parseLong(number));
                default -> throw new IllegalArgumentException();
            };
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(
                    "\"" + text + "\" is no time: write 30s, 5m or 8h", e);
        }
    }

    private static <T> T input(String what, Supplier<T> reader) {
        try {
            return reader.get();
        } catch (IllegalArgumentException e) {
            throw new CommandFailure(ExitCodes.BAD_INPUT, what + ": " + e.getMessage());
        } catch (UncheckedIOException e) {
            throw new CommandFailure(ExitCodes.BAD_INPUT, what + ": " + e.getCause());
        }
    }

    /** Says now and then how far a long search is. */
    private static final class Ticker implements java.util.function.LongConsumer {
        private static final long EVERY_NANOS = 2_000_000_000L;

        private final String variant;
        private long last = System.nanoTime();

        Ticker(String variant) {
            this.variant = variant;
        }

        @Override
        public void accept(long schedules) {
            long now = System.nanoTime();
            if (now - last >= EVERY_NANOS) {
                last = now;
                System.err.println(variant + ": " + schedules + " schedules so far");
            }
        }
    }
}
