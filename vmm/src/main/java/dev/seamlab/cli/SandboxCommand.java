// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import dev.seamlab.v1.CreateSandboxRequest;
import dev.seamlab.v1.DeleteSandboxRequest;
import dev.seamlab.v1.ListSandboxesRequest;
import dev.seamlab.v1.ListSandboxesResponse;
import dev.seamlab.v1.Sandbox;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code seamlab sandbox}. */
@Command(
        name = "sandbox",
        description = "Switches machines for raw SEAMCALLs on and off.",
        synopsisSubcommandLabel = "COMMAND",
        subcommands = {
            SandboxCommand.Create.class,
            SandboxCommand.ListAll.class,
            SandboxCommand.Delete.class
        })
final class SandboxCommand implements Callable<Integer> {
    @Spec private CommandSpec spec;

    @Override
    public Integer call() {
        spec.commandLine().usage(spec.commandLine().getErr());
        return ExitCodes.BAD_INPUT;
    }

    private static void print(ClientOptions options, List<Sandbox> sandboxes) {
        Table table =
                new Table(
                                Table.Align.LEFT,
                                Table.Align.LEFT,
                                Table.Align.LEFT,
                                Table.Align.RIGHT,
                                Table.Align.RIGHT)
                        .row("NAME", "PROFILE", "MODULE", "CPUS", "MEMORY");
        for (Sandbox sandbox : sandboxes) {
            table.row(
                    sandbox.getName(),
                    sandbox.getProfile(),
                    sandbox.getModuleVersion(),
                    Integer.toString(sandbox.getCpuCount()),
                    Sizes.show(sandbox.getMemoryBytes()));
        }
        table.print(options.out());
    }

    /** {@code seamlab sandbox create}. */
    @Command(
            name = "create",
            description = "Switches a machine on, with a module loaded and nothing brought up.",
            footer = {"", "Example:", "  seamlab sandbox create lab --profile server-2t-2s"})
    static final class Create implements Callable<Integer> {
        @Mixin private ClientOptions options;

        @Parameters(arity = "0..1", paramLabel = "ID", description = "Id (default: any).")
        private String id = "";

        @Option(
                names = "--profile",
                paramLabel = "NAME",
                completionCandidates = HostOptions.Profiles.class,
                description =
                        "Machine profile: ${COMPLETION-CANDIDATES} (default: that of the server's"
                                + " host).")
        private String profile = "";

        @Override
        public Integer call() {
            try (Client client = options.connect()) {
                Sandbox made =
                        client.seamcalls()
                                .createSandbox(
                                        CreateSandboxRequest.newBuilder()
                                                .setSandboxId(id)
                                                .setSandbox(
                                                        Sandbox.newBuilder().setProfile(profile))
                                                .build());
                if (options.forPrograms()) {
                    options.print(made);
                } else {
                    print(options, List.of(made));
                }
            }
            return ExitCodes.OK;
        }
    }

    /** {@code seamlab sandbox list}. */
    @Command(name = "list", description = "Lists sandboxes.")
    static final class ListAll implements Callable<Integer> {
        @Mixin private ClientOptions options;

        @Override
        public Integer call() {
            try (Client client = options.connect()) {
                ListSandboxesResponse all =
                        client.seamcalls().listSandboxes(ListSandboxesRequest.getDefaultInstance());
                if (options.forPrograms()) {
                    options.print(all);
                } else {
                    print(options, all.getSandboxesList());
                }
            }
            return ExitCodes.OK;
        }
    }

    /** {@code seamlab sandbox delete}. */
    @Command(name = "delete", description = "Switches a sandbox off; its memory is gone.")
    static final class Delete implements Callable<Integer> {
        @Mixin private ClientOptions options;

        @Parameters(paramLabel = "NAME", description = "Sandbox, with or without sandboxes/.")
        private String name;

        @Override
        public Integer call() {
            try (Client client = options.connect()) {
                var _ =
                        client.seamcalls()
                                .deleteSandbox(
                                        DeleteSandboxRequest.newBuilder()
                                                .setName(SandboxOption.name(name))
                                                .build());
            }
            return ExitCodes.OK;
        }
    }
}
