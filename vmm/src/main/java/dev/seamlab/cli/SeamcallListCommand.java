// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import dev.seamlab.v1.LeafInfo;
import dev.seamlab.v1.ListLeavesRequest;
import dev.seamlab.v1.ListLeavesResponse;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code seamlab seamcall list}. */
@Command(
        name = "list",
        description = "Lists the leaves of the module.",
        footer = {"", "Examples:", "  seamlab seamcall list", "  seamlab seamcall list --all"})
final class SeamcallListCommand implements Callable<Integer> {
    @Mixin private ClientOptions options;
    @Mixin private SandboxOption sandbox;

    @Option(names = "--all", description = "Show leaves that this module does not have, too.")
    private boolean all;

    @Override
    public Integer call() {
        try (Client client = options.connect()) {
            ListLeavesResponse leaves =
                    client.seamcalls()
                            .listLeaves(
                                    ListLeavesRequest.newBuilder()
                                            .setSandbox(sandbox.get())
                                            .build());
            if (options.forPrograms()) {
                options.print(leaves);
                return ExitCodes.OK;
            }
            Table table =
                    new Table(
                                    Table.Align.RIGHT,
                                    Table.Align.LEFT,
                                    Table.Align.RIGHT,
                                    Table.Align.LEFT)
                            .row("NUMBER", "NAME", "VERSIONS", "PURPOSE");
            for (LeafInfo leaf : leaves.getLeavesList()) {
                if (leaf.getModelled() || all) {
                    table.row(
                            Integer.toString(leaf.getNumber()),
                            leaf.getName(),
                            leaf.getMaxVersion() == 0 ? "0" : "0-" + leaf.getMaxVersion(),
                            (leaf.getModelled() ? "" : "(not modelled) ") + leaf.getPurpose());
                }
            }
            table.print(options.out());
        }
        return ExitCodes.OK;
    }
}
