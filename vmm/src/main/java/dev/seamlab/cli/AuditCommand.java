// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import dev.seamlab.v1.AuditFinding;
import dev.seamlab.v1.AuditReport;
import dev.seamlab.v1.RunAuditRequest;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code seamlab audit}. */
@Command(
        name = "audit",
        description = "Checks every invariant of the host; exit code 6 where one does not hold.",
        footer = {"", "Example:", "  seamlab audit && echo sound"})
final class AuditCommand implements Callable<Integer> {
    @Mixin private ClientOptions options;

    @Override
    public Integer call() {
        try (Client client = options.connect()) {
            AuditReport report = client.audit().runAudit(RunAuditRequest.getDefaultInstance());
            if (options.forPrograms()) {
                options.print(report);
            } else {
                options.out().println(summary(report));
                Table table = new Table(Table.Align.LEFT, Table.Align.LEFT, Table.Align.LEFT);
                for (AuditFinding finding : report.getFindingsList()) {
                    table.row(finding.getRule(), finding.getSubject(), finding.getDescription());
                }
                table.print(options.out(), "  ");
            }
            return report.getFindingsCount() == 0 ? ExitCodes.OK : ExitCodes.CHECK_FAILED;
        }
    }

    static String summary(AuditReport report) {
        return "audit: "
                + report.getFindingsCount()
                + " findings"
                + (report.getConcurrent() ? " (running trust domains were held)" : "");
    }
}
