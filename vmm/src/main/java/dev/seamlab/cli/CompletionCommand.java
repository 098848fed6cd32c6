// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import java.io.PrintWriter;
import java.util.concurrent.Callable;
import picocli.AutoComplete;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code seamlab completion}. */
@Command(
        name = "completion",
        description = "Prints the completion script for bash and zsh.",
        footer = {
            "",
            "Examples:",
            "  source <(seamlab completion)",
            "  seamlab completion > /etc/bash_completion.d/seamlab"
        })
final class CompletionCommand implements Callable<Integer> {
    @Spec private CommandSpec spec;

    @Override
    public Integer call() {
        PrintWriter out = spec.commandLine().getOut();
        out.print(AutoComplete.bash("seamlab", spec.root().commandLine()));
        out.flush();
        return ExitCodes.OK;
    }
}
