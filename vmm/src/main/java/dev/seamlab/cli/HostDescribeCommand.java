// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import dev.seamlab.v1.GetHostRequest;
import dev.seamlab.v1.HostAttribute;
import dev.seamlab.v1.HostInfo;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code seamlab host describe}. */
@Command(
        name = "describe",
        description = "Shows what the kernel's tdx_host device tells of the module, and the CPUs.",
        footer = {"", "Example:", "  seamlab host describe"})
final class HostDescribeCommand implements Callable<Integer> {
    @Mixin private ClientOptions options;

    @Override
    public Integer call() {
        try (Client client = options.connect()) {
            HostInfo host = client.host().getHost(GetHostRequest.getDefaultInstance());
            if (options.forPrograms()) {
                options.print(host);
                return ExitCodes.OK;
            }
            Table table = new Table(Table.Align.LEFT, Table.Align.LEFT);
            for (HostAttribute attribute : host.getAttributesList()) {
                table.row(attribute.getName(), attribute.getValue());
            }
            table.row("cpus", host.getCpuCount() + " in " + host.getPackageCount() + " package(s)");
            table.row(
                    "offline_cpus",
                    host.getOfflineCpusCount() == 0
                            ? "none"
                            : host.getOfflineCpusList().stream()
                                    .map(String::valueOf)
                                    .collect(Collectors.joining(",")));
            table.print(options.out());
            options.out().flush();
            return ExitCodes.OK;
        }
    }
}
