// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import com.google.protobuf.util.Timestamps;
import dev.seamlab.v1.Progress;
import dev.seamlab.v1.TrustDomain;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;

/** Trust domains for people. */
final class TdPrinter {
    /** A column of the list; some only where there is room for all. */
    private record Column(
            String title, Table.Align align, boolean wide, Function<TrustDomain, String> cell) {}

    private static final List<Column> COLUMNS =
            List.of(
                    left("NAME", td -> MemoryStory.shortName(td.getName())),
                    left("STATE", TdPrinter::state),
                    right("MEMORY", td -> Sizes.show(td.getMemoryBytes())),
                    right("VCPUS", td -> Integer.toString(td.getVcpuCount())),
                    right("PRIVATE", td -> MemoryStory.pages(td.getMemory().getPrivatePages())),
                    right("DYN. PAMT", td -> Sizes.show(td.getMemory().getDynamicPamtBytes())),
                    wide("SHARED", td -> MemoryStory.pages(td.getMemory().getSharedPages())),
                    wide("S-EPT", td -> MemoryStory.pages(td.getMemory().getSeptPages())),
                    wide("FAULTS", td -> Long.toString(td.getProgress().getPrivateFaults())),
                    wide("EXITS", td -> Long.toString(td.getProgress().getTdExits())),
                    wide("KEYID", td -> Integer.toString(td.getKeyId())),
                    wide("LABELS", TdPrinter::labels),
                    wide("CREATED", td -> Timestamps.toString(td.getCreateTime())),
                    left("GUEST", td -> firstLine(td.getGuestProgram().getText())));

    private TdPrinter() {}

    private static Column left(String title, Function<TrustDomain, String> cell) {
        return new Column(title, Table.Align.LEFT, false, cell);
    }

    private static Column right(String title, Function<TrustDomain, String> cell) {
        return new Column(title, Table.Align.RIGHT, false, cell);
    }

    private static Column wide(String title, Function<TrustDomain, String> cell) {
        return new Column(title, Table.Align.RIGHT, true, cell);
    }

    /** One trust domain, in the form that the user asked for. */
    static void print(ClientOptions options, TrustDomain td) {
        if (options.forPrograms()) {
            options.print(td);
        } else {
            printList(options, List.of(td));
        }
    }

    /** Trust domains, one in a line. */
    static void printList(ClientOptions options, List<TrustDomain> all) {
        List<Column> columns =
                COLUMNS.stream().filter(column -> options.wide() || !column.wide()).toList();
        Table table = new Table(columns.stream().map(Column::align).toArray(Table.Align[]::new));
        table.row(columns.stream().map(Column::title).toArray(String[]::new));
        for (TrustDomain td : all) {
            table.row(columns.stream().map(c -> c.cell().apply(td)).toArray(String[]::new));
        }
        table.print(options.out());
    }

    /** Everything about one. */
    static void describe(ClientOptions options, TrustDomain td) {
        Progress progress = td.getProgress();
        Table table =
                new Table(Table.Align.LEFT, Table.Align.LEFT)
                        .row("name", td.getName())
                        .row("display name", td.getDisplayName())
                        .row("labels", labels(td))
                        .row("state", state(td));
        if (td.hasFailure()) {
            table.row("failure", td.getFailure().getMessage());
        }
        table.row("memory", Sizes.show(td.getMemoryBytes()))
                .row("vCPUs", Integer.toString(td.getVcpuCount()))
                .row("guest", firstLine(td.getGuestProgram().getText()))
                .row(
                        "firmware",
                        (td.getFirmware().hasEmbedded() ? "embedded, " : "image of ")
                                + Sizes.show(td.getFirmware().getSizeBytes()))
                .row("MRTD", HexFormat.of().formatHex(td.getMrtd().toByteArray()))
                .row("KeyID", Integer.toString(td.getKeyId()))
                .row("etag", td.getEtag())
                .gap()
                .row("private pages", MemoryStory.pages(td.getMemory().getPrivatePages()))
                .row("shared pages", MemoryStory.pages(td.getMemory().getSharedPages()))
                .row("S-EPT pages", MemoryStory.pages(td.getMemory().getSeptPages()))
                .row("control pages", MemoryStory.pages(td.getMemory().getControlPages()))
                .row("pool pages", MemoryStory.pages(td.getMemory().getPoolPages()))
                .row("dynamic PAMT", Sizes.show(td.getMemory().getDynamicPamtBytes()))
                .row(
                        "static PAMT",
                        Sizes.show(td.getMemory().getStaticPamtEquivalentBytes())
                                + " for the same memory")
                .gap()
                .row("operations", Long.toString(progress.getOperations()))
                .row("accepted pages", Long.toString(progress.getAcceptedPages()))
                .row(
                        "faults",
                        progress.getPrivateFaults()
                                + " private, "
                                + progress.getSharedFaults()
                                + " shared")
                .row("converted pages", Long.toString(progress.getConvertedPages()))
                .row("TD exits", Long.toString(progress.getTdExits()));
        table.print(options.out());
    }

    /** The state; a guest that is through with its program is halted, but not off. */
    static String state(TrustDomain td) {
        boolean halted =
                td.getState() == TrustDomain.State.RUNNING
                        && td.getProgress().getFinishedVcpus() == td.getVcpuCount();
        return td.getState().name() + (halted ? " (halted)" : "");
    }

    private static String labels(TrustDomain td) {
        return td.getLabelsMap().entrySet().stream()
                .sorted(Map.Entry.comparingByKey())
                .map(label -> label.getKey() + "=" + label.getValue())
                .collect(Collectors.joining(","));
    }

    static String firstLine(String program) {
        String line = program.lines().findFirst().orElse("");
        return line.length() > 40 ? line.substring(0, 39) + "…" : line;
    }
}
