// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import dev.seamlab.v1.Progress;
import dev.seamlab.v1.TrustDomain;
import java.util.HexFormat;
import java.util.List;

/** Trust domains for people. */
final class TdPrinter {
    private TdPrinter() {}

    /** One trust domain, in the form that the user asked for. */
    static void print(ClientOptions options, TrustDomain td) {
        if (options.json()) {
            options.print(td);
        } else {
            printList(options, List.of(td));
        }
    }

    /** Trust domains, one in a line. */
    static void printList(ClientOptions options, List<TrustDomain> all) {
        Table table =
                new Table(
                        Table.Align.LEFT,
                        Table.Align.LEFT,
                        Table.Align.RIGHT,
                        Table.Align.RIGHT,
                        Table.Align.RIGHT,
                        Table.Align.RIGHT,
                        Table.Align.LEFT);
        table.row("NAME", "STATE", "MEMORY", "VCPUS", "PRIVATE", "DYN. PAMT", "GUEST");
        for (TrustDomain td : all) {
            table.row(
                    MemoryStory.shortName(td.getName()),
                    td.getState().name(),
                    Sizes.show(td.getMemoryBytes()),
                    Integer.toString(td.getVcpuCount()),
                    MemoryStory.pages(td.getMemory().getPrivatePages()),
                    Sizes.show(td.getMemory().getDynamicPamtBytes()),
                    firstLine(td.getGuestProgram().getText()));
        }
        table.print(options.out());
    }

    /** Everything about one. */
    static void describe(ClientOptions options, TrustDomain td) {
        Progress progress = td.getProgress();
        Table table =
                new Table(Table.Align.LEFT, Table.Align.LEFT)
                        .row("name", td.getName())
                        .row("state", td.getState().name());
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

    static String firstLine(String program) {
        String line = program.lines().findFirst().orElse("");
        return line.length() > 40 ? line.substring(0, 39) + "…" : line;
    }
}
