// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import com.google.longrunning.CancelOperationRequest;
import com.google.longrunning.GetOperationRequest;
import com.google.longrunning.ListOperationsRequest;
import com.google.longrunning.ListOperationsResponse;
import com.google.longrunning.Operation;
import com.google.protobuf.Any;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code seamlab operation}. */
@Command(
        name = "operation",
        description = "Long-running operations: lists, shows, waits for and cancels them.",
        synopsisSubcommandLabel = "COMMAND",
        subcommands = {
            OperationCommand.ListAll.class,
            OperationCommand.Describe.class,
            OperationCommand.Await.class,
            OperationCommand.Cancel.class
        },
        footer = {
            "",
            "Example:",
            "  seamlab operation wait $(seamlab td create --id web --no-wait)"
        })
final class OperationCommand implements Callable<Integer> {
    @Spec private CommandSpec spec;

    @Override
    public Integer call() {
        spec.commandLine().usage(spec.commandLine().getErr());
        return ExitCodes.BAD_INPUT;
    }

    /** {@code seamlab operation list}. */
    @Command(name = "list", description = "Lists the operations that the server still knows.")
    static final class ListAll implements Callable<Integer> {
        @Mixin private ClientOptions options;

        @Override
        public Integer call() {
            List<Operation> all;
            try (Client client = options.connect()) {
                all =
                        Pages.all(
                                token ->
                                        client.operations()
                                                .listOperations(
                                                        ListOperationsRequest.newBuilder()
                                                                .setName("operations")
                                                                .setPageToken(token)
                                                                .build()),
                                ListOperationsResponse::getOperationsList,
                                ListOperationsResponse::getNextPageToken);
            }
            if (options.forPrograms()) {
                options.print(ListOperationsResponse.newBuilder().addAllOperations(all));
            } else {
                print(options, all);
            }
            return ExitCodes.OK;
        }
    }

    /** What the commands on one operation have in common. */
    abstract static class OnOne implements Callable<Integer> {
        @Mixin private ClientOptions options;

        @Parameters(paramLabel = "NAME", description = "operations/... as another command told.")
        private String name;

        abstract void act(Client client, ClientOptions options, String name);

        @Override
        public Integer call() {
            try (Client client = options.connect()) {
                act(client, options, name.contains("/") ? name : "operations/" + name);
            }
            return ExitCodes.OK;
        }
    }

    /** {@code seamlab operation describe}. */
    @Command(name = "describe", description = "Shows an operation.")
    static final class Describe extends OnOne {
        @Override
        void act(Client client, ClientOptions options, String name) {
            Operation operation = client.operation(name);
            if (options.forPrograms()) {
                options.print(operation);
            } else {
                print(options, List.of(operation));
            }
        }
    }

    /** {@code seamlab operation wait}. */
    @Command(
            name = "wait",
            description = "Waits until an operation is done; its failure is the command's.")
    static final class Await extends OnOne {
        @Override
        void act(Client client, ClientOptions options, String name) {
            Operation operation =
                    client.operations()
                            .getOperation(GetOperationRequest.newBuilder().setName(name).build());
            Any response =
                    client.await(operation, new WaitLine(options.err(), Terminal.isScreen())::show);
            if (options.forPrograms()) {
                options.print(response);
            }
        }
    }

    /** {@code seamlab operation cancel}. */
    @Command(name = "cancel", description = "Asks an operation to stop and give back what it took.")
    static final class Cancel extends OnOne {
        @Override
        void act(Client client, ClientOptions options, String name) {
            var _ =
                    client.operations()
                            .cancelOperation(
                                    CancelOperationRequest.newBuilder().setName(name).build());
        }
    }

    private static void print(ClientOptions options, List<Operation> all) {
        Table table = new Table(Table.Align.LEFT, Table.Align.LEFT, Table.Align.LEFT);
        table.row("NAME", "STATE", "WHAT");
        for (Operation operation : all) {
            String state =
                    !operation.getDone() ? "running" : operation.hasError() ? "failed" : "done";
            table.row(operation.getName(), state, WaitLine.text(operation));
        }
        table.print(options.out());
    }
}
