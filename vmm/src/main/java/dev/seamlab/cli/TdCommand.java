// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code seamlab td}. */
@Command(
        name = "td",
        description = "Creates, runs and destroys trust domains.",
        synopsisSubcommandLabel = "COMMAND",
        subcommands = {
            TdCreateCommand.class,
            TdListCommand.class,
            TdDescribeCommand.class,
            TdActions.Start.class,
            TdActions.Pause.class,
            TdActions.Resume.class,
            TdActions.Stop.class,
            TdActions.Kill.class,
            TdActions.Terminate.class,
            TdActions.Delete.class,
            TdUpdateCommand.class,
            TdWaitCommand.class,
            TdWatchCommand.class,
            TdTopCommand.class
        })
final class TdCommand implements Callable<Integer> {
    @Spec private CommandSpec spec;

    @Override
    public Integer call() {
        spec.commandLine().usage(spec.commandLine().getErr());
        return ExitCodes.BAD_INPUT;
    }
}
