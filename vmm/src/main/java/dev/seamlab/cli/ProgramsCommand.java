// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import dev.seamlab.guest.Builtin;
import java.io.PrintWriter;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

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
    @Spec private CommandSpec spec;

    @Override
    public Integer call() {
        Table table =
                new Table(Table.Align.LEFT, Table.Align.LEFT, Table.Align.LEFT)
                        .row("NAME", "PURPOSE", "PARAMETERS: LEAST..MOST (USUAL)");
        for (Builtin.Description program : Builtin.all()) {
            String parameters =
                    program.parameters().entrySet().stream()
                            .map(entry -> entry.getKey() + " " + entry.getValue())
                            .collect(Collectors.joining(", "));
            table.row(program.name(), program.purpose(), parameters);
        }
        PrintWriter out = spec.commandLine().getOut();
        table.print(out);
        return ExitCodes.OK;
    }
}
