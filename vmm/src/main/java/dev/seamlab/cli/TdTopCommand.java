// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import dev.seamlab.v1.GetMemoryReportRequest;
import dev.seamlab.v1.ListTrustDomainsRequest;
import dev.seamlab.v1.ListTrustDomainsResponse;
import dev.seamlab.v1.MemoryReport;
import dev.seamlab.v1.Progress;
import dev.seamlab.v1.TrustDomain;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code seamlab td top}. */
@Command(
        name = "top",
        description =
                "Shows the busiest trust domains, again and again, with what they do a second.",
        footer = {
            "",
            "Examples:",
            "  seamlab td top",
            "  seamlab td top --interval 5 --count 1     one look of five seconds, for a script"
        })
final class TdTopCommand implements Callable<Integer> {
    private static final String HOME_AND_CLEAR = "\u001b[H\u001b[2J";

    @Mixin private ClientOptions options;

    @Option(
            names = "--interval",
            paramLabel = "SECONDS",
            defaultValue = "1",
            description = "Time between two looks (default: ${DEFAULT-VALUE}).")
    private double interval;

    @Option(
            names = "--count",
            paramLabel = "NUMBER",
            defaultValue = "0",
            description = "End after so many looks (default: never).")
    private long count;

    /** A trust domain, and how far it was at the look before; a new one was nowhere. */
    private record Line(TrustDomain td, Progress before) {
        private long operations() {
            return td.getProgress().getOperations() - before.getOperations();
        }

        private long faults() {
            return faults(td.getProgress()) - faults(before);
        }

        private long exits() {
            return td.getProgress().getTdExits() - before.getTdExits();
        }

        private static long faults(Progress progress) {
            return progress.getPrivateFaults() + progress.getSharedFaults();
        }
    }

    @Override
    public Integer call() throws InterruptedException {
        if (!(interval >= 0.1 && interval <= 3600)) {
            throw new CommandFailure(
                    ExitCodes.BAD_INPUT, "--interval: give 0.1 to 3600 seconds, not " + interval);
        }
        try (Client client = options.connect()) {
            Map<String, Progress> before = look(client);
            for (long looks = 0; count == 0 || looks < count; looks++) {
                Thread.sleep((long) (interval * 1000));
                List<TrustDomain> now = list(client);
                show(client, now, before);
                before = progressOf(now);
            }
        }
        return ExitCodes.OK;
    }

    private static Map<String, Progress> look(Client client) {
        return progressOf(list(client));
    }

    private static Map<String, Progress> progressOf(List<TrustDomain> all) {
        Map<String, Progress> byName = new HashMap<>();
        all.forEach(td -> byName.put(td.getName(), td.getProgress()));
        return byName;
    }

    private static List<TrustDomain> list(Client client) {
        return Pages.all(
                token ->
                        client.trustDomains()
                                .listTrustDomains(
                                        ListTrustDomainsRequest.newBuilder()
                                                .setPageSize(1000)
                                                .setPageToken(token)
                                                .build()),
                ListTrustDomainsResponse::getTrustDomainsList,
                ListTrustDomainsResponse::getNextPageToken);
    }

    private void show(Client client, List<TrustDomain> now, Map<String, Progress> before) {
        if (options.forPrograms()) {
            options.print(ListTrustDomainsResponse.newBuilder().addAllTrustDomains(now));
            return;
        }
        List<Line> lines = new ArrayList<>();
        for (TrustDomain td : now) {
            lines.add(
                    new Line(td, before.getOrDefault(td.getName(), Progress.getDefaultInstance())));
        }
        lines.sort(Comparator.comparingLong(Line::operations).reversed());
        StringWriter frame = new StringWriter();
        PrintWriter out = new PrintWriter(frame);
        MemoryReport memory =
                client.host().getMemoryReport(GetMemoryReportRequest.getDefaultInstance());
        out.printf(
                "%d trust domains, %d of %d KeyIDs used, %s of %s free, dynamic PAMT %s%n%n",
                now.size(),
                memory.getKeyIds().getUsed(),
                memory.getKeyIds().getTotal(),
                Sizes.show(memory.getFreeBytes()),
                Sizes.show(memory.getTotalBytes()),
                Sizes.show(memory.getPamt().getDynamicBytes()));
        table(lines).print(out);
        String clear = Terminal.isScreen() ? HOME_AND_CLEAR : "";
        options.out().print(clear + frame);
        options.out().flush();
    }

    private Table table(List<Line> lines) {
        Table table =
                new Table(
                        Table.Align.LEFT,
                        Table.Align.LEFT,
                        Table.Align.RIGHT,
                        Table.Align.RIGHT,
                        Table.Align.RIGHT,
                        Table.Align.RIGHT,
                        Table.Align.RIGHT);
        table.row("NAME", "STATE", "OPS/S", "FAULTS/S", "EXITS/S", "PRIVATE", "DYN. PAMT");
        for (Line line : lines) {
            TrustDomain td = line.td();
            table.row(
                    MemoryStory.shortName(td.getName()),
                    TdPrinter.state(td),
                    perSecond(line.operations()),
                    perSecond(line.faults()),
                    perSecond(line.exits()),
                    MemoryStory.pages(td.getMemory().getPrivatePages()),
                    Sizes.show(td.getMemory().getDynamicPamtBytes()));
        }
        return table;
    }

    private String perSecond(long count) {
        return String.format(Locale.ROOT, "%,.0f", count / interval);
    }
}
