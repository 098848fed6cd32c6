// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import dev.seamlab.v1.GetHostRequest;
import dev.seamlab.v1.GetMemoryReportRequest;
import dev.seamlab.v1.HostInfo;
import dev.seamlab.v1.MemoryReport;
import java.io.PrintWriter;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code seamlab host}. */
@Command(
        name = "host",
        description = "Shows the host, and where its memory goes.",
        subcommands = {
            HostDescribeCommand.class,
            HostHardware.Module.class,
            HostHardware.Cmrs.class,
            HostHardware.Tdmrs.class,
            HostHardware.KeyIds.class,
            HostHardware.Cpus.class,
            HostCpuCommand.class,
            HostWatchCommand.class
        },
        footer = {
            "",
            "Examples:",
            "  seamlab host",
            "  seamlab host --boot-log",
            "  seamlab host -o json",
            "  seamlab host describe",
            "  seamlab host module",
            "  seamlab host tdmrs",
            "  seamlab host cpu 3 offline",
            "  seamlab host watch"
        })
final class HostCommand implements Callable<Integer> {
    @Mixin private ClientOptions options;

    @Option(names = "--boot-log", description = "Show what the host said while it came up, too.")
    private boolean bootLog;

    @Override
    public Integer call() {
        try (Client client = options.connect()) {
            HostInfo host = client.host().getHost(GetHostRequest.getDefaultInstance());
            if (options.forPrograms()) {
                options.print(host);
                return ExitCodes.OK;
            }
            MemoryReport memory =
                    client.host().getMemoryReport(GetMemoryReportRequest.getDefaultInstance());
            PrintWriter out = options.out();
            new Table(Table.Align.LEFT, Table.Align.LEFT)
                    .row("profile", host.getProfile() + ", " + host.getDescription())
                    .row("module", "TDX " + host.getModuleVersion())
                    .row("preset", host.getPreset())
                    .row("PAMT", host.getDynamicPamt() ? "dynamic" : "static")
                    .row(
                            "CPUs",
                            host.getCpuCount() + " in " + host.getPackageCount() + " package(s)")
                    .row(
                            "KeyIDs",
                            host.getKeyIds().getUsed()
                                    + " used, "
                                    + host.getKeyIds().getFree()
                                    + " free")
                    .row(
                            "memory",
                            Sizes.show(memory.getTotalBytes())
                                    + ", "
                                    + Sizes.show(memory.getFreeBytes())
                                    + " free")
                    .print(out);
            out.println();
            MemoryStory.print(out, memory, host.getDynamicPamt());
            if (bootLog) {
                out.println();
                host.getBootLogList().forEach(out::println);
            }
            out.flush();
            return ExitCodes.OK;
        }
    }
}
