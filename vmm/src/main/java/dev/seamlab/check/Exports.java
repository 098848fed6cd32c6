// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.check;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Reports as columns for people, as JSON, and as a trace for Perfetto. */
public final class Exports {
    private static final int WIDEST = 44;

    private Exports() {}

    /** A schedule in columns, one per thread, a line per step. */
    public static List<String> columns(Counterexample example) {
        List<Counterexample.Line> story = example.story();
        String[] threads = example.program().split(" \\| ", -1);
        int[] width = new int[threads.length];
        for (int t = 0; t < threads.length; t++) {
            width[t] = Math.min(WIDEST, threads[t].length());
        }
        for (Counterexample.Line line : story) {
            if (line.thread() >= 0) {
                width[line.thread()] =
                        Math.max(width[line.thread()], Math.min(WIDEST, line.text().length()));
            }
        }
        List<String> out = new ArrayList<>();
        StringBuilder head = new StringBuilder("      ");
        StringBuilder rule = new StringBuilder("      ");
        for (int t = 0; t < threads.length; t++) {
            head.append(pad("CPU " + t + ": " + threads[t], width[t])).append("  ");
            width[t] = Math.max(width[t], ("CPU " + t + ": " + threads[t]).length());
            rule.append("-".repeat(width[t])).append("  ");
        }
        out.add(head.toString().stripTrailing());
        out.add(rule.toString().stripTrailing());
        int number = 0;
        for (Counterexample.Line line : story) {
            if (line.thread() < 0) {
                out.add("  !!  " + line.text());
                continue;
            }
            StringBuilder text = new StringBuilder(String.format("%4d  ", ++number));
            for (int t = 0; t < line.thread(); t++) {
                text.append(" ".repeat(width[t] + 2));
            }
            out.add(text.append(line.text()).toString());
        }
        return out;
    }

    private static String pad(String text, int width) {
        return text + " ".repeat(Math.max(0, width - text.length()));
    }

    /** Reports as one JSON document. */
    public static String json(List<Report> reports) {
        StringBuilder out = new StringBuilder("{\"reports\":[");
        String separator = "";
        for (Report report : reports) {
            out.append(separator).append("\n{");
            field(out, "variant", report.variant().name()).append(',');
            field(out, "program", report.program().toString()).append(',');
            field(out, "initially", report.initially()).append(',');
            field(out, "search", report.search()).append(',');
            field(out, "verdict", report.verdict()).append(',');
            out.append("\"complete\":").append(report.complete());
            out.append(",\"schedules\":").append(report.schedules());
            out.append(",\"schedulesInAll\":").append(report.schedulesInAll());
            out.append(",\"steps\":").append(report.steps());
            out.append(",\"nanos\":").append(report.nanos());
            @Nullable Counterexample example = report.counterexample();
            if (example != null) {
                out.append(",\"counterexample\":");
                example(out, example);
            }
            out.append('}');
            separator = ",";
        }
        return out.append("\n]}\n").toString();
    }

    private static void example(StringBuilder out, Counterexample example) {
        out.append('{');
        field(out, "replay", example.schedule().toString());
        out.append(",\"preemptions\":").append(example.preemptions()).append(",\"findings\":[");
        String separator = "";
        for (Finding finding : example.findings()) {
            out.append(separator).append('{');
            field(out, "rule", finding.rule().name()).append(',');
            field(out, "text", finding.text()).append('}');
            separator = ",";
        }
        out.append("],\"lines\":[");
        separator = "";
        for (Counterexample.Line line : example.story()) {
            out.append(separator).append("\n  {\"thread\":").append(line.thread());
            out.append(",\"step\":").append(line.step()).append(',');
            field(out, "text", line.text()).append('}');
            separator = ",";
        }
        out.append("]}");
    }

    /**
     * A schedule as Chrome trace events, which ui.perfetto.dev opens: a track per thread, a
     * microsecond per line.
     */
    public static String perfetto(Report report, Counterexample example) {
        StringBuilder out = new StringBuilder("{\"traceEvents\":[");
        String[] threads = example.program().split(" \\| ", -1);
        for (int t = 0; t < threads.length; t++) {
            out.append(t == 0 ? "" : ",")
                    .append("\n{\"ph\":\"M\",\"name\":\"thread_name\",\"pid\":1,\"tid\":")
                    .append(t + 1)
                    .append(",\"args\":{");
            field(out, "name", "CPU " + t + ": " + threads[t]).append("}}");
        }
        out.append(",\n{\"ph\":\"M\",\"name\":\"process_name\",\"pid\":1,\"args\":{");
        field(out, "name", "seamlab check: " + report.variant().name()).append("}}");
        int time = 0;
        for (Counterexample.Line line : example.story()) {
            out.append(",\n{\"pid\":1,\"ts\":").append(time).append(',');
            if (line.thread() < 0) {
                out.append("\"ph\":\"i\",\"s\":\"g\",\"tid\":1,");
            } else {
                out.append("\"ph\":\"X\",\"dur\":1,\"tid\":").append(line.thread() + 1).append(',');
                time++;
            }
            field(out, "name", line.text()).append('}');
        }
        return out.append("\n]}\n").toString();
    }

    private static StringBuilder field(StringBuilder out, String name, String value) {
        out.append('"').append(name).append("\":\"");
        for (int i = 0; i < value.length(); i++) {
            char c = value.charAt(i);
            if (c == '"' || c == '\\') {
                out.append('\\').append(c);
            } else if (c < ' ') {
                out.append(String.format("\\u%04x", (int) c));
            } else {
                out.append(c);
            }
        }
        return out.append('"');
    }
}
