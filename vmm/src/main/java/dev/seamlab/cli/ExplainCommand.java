// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.util.JsonFormat;
import dev.seamlab.control.seamcall.SeamcallMapper;
import dev.seamlab.explain.Explanation;
import dev.seamlab.explain.Severity;
import dev.seamlab.explain.StatusGuide;
import dev.seamlab.v1.DecodedStatus;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code seamlab explain}. Needs no server. */
@Command(
        name = "explain",
        description = "Says what a completion status means, its usual cause and what to do next.",
        footer = {
            "",
            "Examples:",
            "  seamlab explain 0xC000030400000001",
            "  seamlab explain NO_PAMT_PAGE_PAIR",
            "  seamlab explain -o json 9223374235878031360"
        })
final class ExplainCommand implements Callable<Integer> {
    private static final int WIDTH = 80;

    @Spec private CommandSpec spec;

    @Parameters(paramLabel = "STATUS", description = "Status word, hex or decimal, or a name.")
    private String status;

    @Option(
            names = {"-o", "--output"},
            paramLabel = "FORMAT",
            defaultValue = "table",
            description = "table, wide, json or yaml (default: ${DEFAULT-VALUE}).")
    private Format format;

    @Override
    public Integer call() {
        long word =
                StatusGuide.parse(status)
                        .orElseThrow(() ->
                                new CommandFailure(
                                        ExitCodes.BAD_INPUT,
                                        "STATUS: \""
                                                + status
                                                + "\" is no status: give 64 bits as 0x... or decimal, or a"
                                                + " name such as OPERAND_BUSY"));
        Explanation explained = StatusGuide.get().explain(word);
        PrintWriter out = spec.commandLine().getOut();
        if (format.forPrograms()) {
            out.print(written(SeamcallMapper.toProto(explained)));
            out.flush();
            return ExitCodes.OK;
        }
        Table table = new Table(Table.Align.LEFT, Table.Align.LEFT);
        table.row("status", Hex.word(word))
                .row("name", explained.name().isEmpty() ? "(unknown)" : explained.name())
                .row("class", className(explained))
                .row("severity", severity(explained.severity()));
        if (!explained.operand().isEmpty()) {
            table.row("operand", explained.operand());
        } else if (explained.detail() != 0) {
            table.row("detail", "0x" + Long.toHexString(explained.detail()));
        }
        wrapped(table, "cause", explained.cause());
        wrapped(table, "next", explained.next());
        table.print(out);
        return ExitCodes.OK;
    }

    private static String className(Explanation explained) {
        String number = String.format("0x%02X", explained.statusClass());
        return explained.className().isEmpty() ? number : number + " " + explained.className();
    }

    private static String severity(Severity severity) {
        return switch (severity) {
            case SUCCESS -> "success";
            case INFORMATIONAL -> "informational, no error";
            case RECOVERABLE -> "error, recoverable: the same call may succeed";
            case NON_RECOVERABLE -> "error, not recoverable: something has to change first";
            case FATAL -> "fatal: the TD or vCPU is lost";
        };
    }

    private static void wrapped(Table table, String label, String text) {
        String head = label;
        for (String line : lines(text)) {
            table.row(head, line);
            head = "";
        }
    }

    private static List<String> lines(String text) {
        List<String> lines = new ArrayList<>();
        StringBuilder line = new StringBuilder();
        for (String word : text.split(" ", -1)) {
            if (!line.isEmpty() && line.length() + 1 + word.length() > WIDTH) {
                lines.add(line.toString());
                line.setLength(0);
            }
            line.append(line.isEmpty() ? "" : " ").append(word);
        }
        lines.add(line.toString());
        return lines;
    }

    private String written(DecodedStatus status) {
        try {
            return format.write(JsonFormat.printer().preservingProtoFieldNames(), status);
        } catch (InvalidProtocolBufferException e) {
            throw new IllegalStateException("a message of ours has an unknown type inside", e);
        }
    }
}
