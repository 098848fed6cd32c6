// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import dev.seamlab.v1.ComparePamtModesRequest;
import dev.seamlab.v1.GetPamtRegionRequest;
import dev.seamlab.v1.GetPamtStatsRequest;
import dev.seamlab.v1.PamtComparison;
import dev.seamlab.v1.PamtRegion;
import dev.seamlab.v1.PamtStats;
import dev.seamlab.v1.WatchPamtStatsRequest;
import dev.seamlab.v1.WatchPamtStatsResponse;
import java.util.Iterator;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code seamlab pamt}. */
@Command(
        name = "pamt",
        description = "Shows what PAMT costs: by level, cause, trust domain, node and range.",
        synopsisSubcommandLabel = "COMMAND",
        subcommands = {
            PamtCommand.Stats.class,
            PamtCommand.Top.class,
            PamtMapCommand.class,
            PamtCommand.Region.class,
            PamtCommand.Compare.class
        },
        footer = {
            "",
            "Examples:",
            "  seamlab pamt stats",
            "  seamlab pamt map --filter cause=SEPT",
            "  seamlab pamt region 0x40000000",
            "  seamlab pamt compare"
        })
final class PamtCommand implements Callable<Integer> {
    @Spec private CommandSpec spec;

    @Override
    public Integer call() {
        spec.commandLine().usage(spec.commandLine().getErr());
        return ExitCodes.BAD_INPUT;
    }

    /** {@code seamlab pamt stats}. */
    @Command(
            name = "stats",
            description = "Shows what PAMT costs now, from all sides.",
            footer = {"", "Example:", "  seamlab pamt stats -o json"})
    static final class Stats implements Callable<Integer> {
        @Mixin private ClientOptions options;

        @Override
        public Integer call() {
            try (Client client = options.connect()) {
                PamtStats stats =
                        client.pamt().getPamtStats(GetPamtStatsRequest.getDefaultInstance());
                if (options.forPrograms()) {
                    options.print(stats);
                } else {
                    PamtPrinter.print(options.out(), stats);
                }
                return ExitCodes.OK;
            }
        }
    }

    /** {@code seamlab pamt top}. */
    @Command(
            name = "top",
            description = "Follows what PAMT costs; ends with Ctrl-C.",
            footer = {"", "Example:", "  seamlab pamt top"})
    static final class Top implements Callable<Integer> {
        /** Cursor home, and clear what is below. */
        private static final String HOME = "\u001b[H\u001b[J";

        @Mixin private ClientOptions options;

        @Override
        public Integer call() {
            try (Client client = options.connect()) {
                Iterator<WatchPamtStatsResponse> watch =
                        client.endlessPamt()
                                .watchPamtStats(WatchPamtStatsRequest.getDefaultInstance());
                while (watch.hasNext()) {
                    PamtStats stats = watch.next().getStats();
                    if (options.forPrograms()) {
                        options.print(stats);
                        continue;
                    }
                    options.out().print(Terminal.isScreen() ? HOME : "");
                    PamtPrinter.print(options.out(), stats);
                    options.out().println();
                    options.out().flush();
                }
                return ExitCodes.OK;
            }
        }
    }

    /** {@code seamlab pamt region}. */
    @Command(
            name = "region",
            description = "Shows one 2M range of host memory.",
            footer = {"", "Example:", "  seamlab pamt region 0x40000000"})
    static final class Region implements Callable<Integer> {
        @Mixin private ClientOptions options;

        @Parameters(
                paramLabel = "HPA",
                converter = HexNumber.class,
                description = "Any physical address within the range.")
        private long hpa;

        @Override
        public Integer call() {
            try (Client client = options.connect()) {
                PamtRegion region =
                        client.pamt()
                                .getPamtRegion(
                                        GetPamtRegionRequest.newBuilder().setHpa(hpa).build());
                if (options.forPrograms()) {
                    options.print(region);
                } else {
                    PamtPrinter.print(options.out(), region);
                }
                return ExitCodes.OK;
            }
        }
    }

    /** {@code seamlab pamt compare}. */
    @Command(
            name = "compare",
            description = "Says what the same pages would cost under the other PAMT mode.",
            footer = {"", "Example:", "  seamlab pamt compare"})
    static final class Compare implements Callable<Integer> {
        @Mixin private ClientOptions options;

        @Override
        public Integer call() {
            try (Client client = options.connect()) {
                PamtComparison comparison =
                        client.pamt()
                                .comparePamtModes(ComparePamtModesRequest.getDefaultInstance());
                if (options.forPrograms()) {
                    options.print(comparison);
                } else {
                    PamtPrinter.print(options.out(), comparison);
                }
                return ExitCodes.OK;
            }
        }
    }
}
