// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import dev.seamlab.v1.BuiltInGuestProgram;
import dev.seamlab.v1.GetHostRequest;
import dev.seamlab.v1.HostInfo;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code seamlab programs}. */
@Command(
        name = "programs",
        description = "Lists the built-in guest programs with their parameters.",
        footer = {
            "",
            "Examples:",
            "  seamlab programs",
            "  seamlab td create --guest 'zipf percent=50 touches=1000000 skew=120' --start"
        })
final class ProgramsCommand implements Callable<Integer> {
    @Mixin private ClientOptions options;

    @Override
    public Integer call() {
        try (Client client = options.connect()) {
            HostInfo host = client.host().getHost(GetHostRequest.getDefaultInstance());
            if (options.forPrograms()) {
                options.print(host);
                return ExitCodes.OK;
            }
            Table table =
                    new Table(Table.Align.LEFT, Table.Align.LEFT, Table.Align.LEFT)
                            .row("NAME", "PURPOSE", "PARAMETERS: LEAST..MOST (USUAL)");
            for (BuiltInGuestProgram program : host.getGuestProgramsList()) {
                String parameters =
                        new TreeMap<>(program.getParametersMap())
                                .entrySet().stream()
                                        .map(entry -> entry.getKey() + " " + entry.getValue())
                                        .collect(Collectors.joining(", "));
                table.row(program.getName(), program.getPurpose(), parameters);
            }
            table.print(options.out());
        }
        return ExitCodes.OK;
    }
}
