// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import io.quarkus.runtime.annotations.QuarkusMain;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** The {@code seamlab} command. */
@QuarkusMain
@Command(
        name = "seamlab",
        description = "Executable model of the Linux host side of Intel TDX with Dynamic PAMT.",
        synopsisSubcommandLabel = "COMMAND",
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        scope = CommandLine.ScopeType.INHERIT,
        subcommands = {
            DemoCommand.class,
            ServeCommand.class,
            TdCommand.class,
            ProgramsCommand.class,
            MemoryCommand.class,
            HostCommand.class,
            PamtCommand.class,
            EventsCommand.class,
            AuditCommand.class,
            SeamcallCommand.class,
            TraceCommand.class,
            SandboxCommand.class,
            FaultCommand.class,
            VcpuCommand.class,
            KvmCommand.class,
            OperationCommand.class,
            ExplainCommand.class,
            CheckCommand.class,
            CompletionCommand.class
        },
        footer = {
            "",
            "Examples:",
            "  seamlab demo                         three trust domains, from birth to death",
            "  seamlab serve --profile laptop-16g   a server on 127.0.0.1:9870",
            "  seamlab td create --id web --memory 256M --guest boot-lazy --start",
            "  seamlab td watch web",
            "  seamlab explain 0xC000030400000001   what a status word means",
            "  seamlab check put-get                every order of threads, under every variant",
            "",
            "Exit codes: 0 done, 1 internal error, 2 bad input, 3 refused (missing, exists, wrong state),",
            "4 out of a resource, 5 server not reachable or too slow, 6 a check failed."
        })
public final class Seamlab implements Callable<Integer> {
    @Spec private CommandSpec spec;

    /** Runs one command and exits with its code. */
    public static void main(String... args) {
        System.exit(commandLine().execute(args));
    }

    static CommandLine commandLine() {
        CommandLine commandLine =
                new CommandLine(new Seamlab())
                        .setCaseInsensitiveEnumValuesAllowed(true)
                        .setUsageHelpWidth(100)
                        .setExecutionExceptionHandler(Failures::handle)
                        .setParameterExceptionHandler(Seamlab::badInput);
        return commandLine;
    }

    @Override
    public Integer call() {
        spec.commandLine().usage(spec.commandLine().getErr());
        return ExitCodes.BAD_INPUT;
    }

    /** One line, and where to read more: a screen of usage would hide what is wrong. */
    private static int badInput(CommandLine.ParameterException e, String[] args) {
        CommandLine commandLine = e.getCommandLine();
        String command = commandLine.getCommandSpec().qualifiedName();
        commandLine.getErr().println("seamlab: " + e.getMessage());
        commandLine.getErr().println("Try '" + command + " --help'.");
        commandLine.getErr().flush();
        return ExitCodes.BAD_INPUT;
    }
}
