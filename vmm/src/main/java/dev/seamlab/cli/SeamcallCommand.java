// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code seamlab seamcall}. */
@Command(
        name = "seamcall",
        description = "Speaks to the TDX module itself, register by register.",
        synopsisSubcommandLabel = "COMMAND",
        subcommands = {
            SeamcallListCommand.class,
            SeamcallCallCommand.class,
            SeamcallLogCommand.class
        })
final class SeamcallCommand implements Callable<Integer> {
    @Spec private CommandSpec spec;

    @Override
    public Integer call() {
        spec.commandLine().usage(spec.commandLine().getErr());
        return ExitCodes.BAD_INPUT;
    }
}
