// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import com.google.protobuf.util.Durations;
import dev.seamlab.v1.AllocationSite;
import dev.seamlab.v1.CreateFaultRequest;
import dev.seamlab.v1.DeleteFaultRequest;
import dev.seamlab.v1.Fault;
import dev.seamlab.v1.GetFaultRequest;
import dev.seamlab.v1.ListAllocationSitesRequest;
import dev.seamlab.v1.ListAllocationSitesResponse;
import dev.seamlab.v1.ListFaultsRequest;
import dev.seamlab.v1.ListFaultsResponse;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code seamlab fault}. */
@Command(
        name = "fault",
        description = "Makes SEAMCALLs and allocations of the host fail on purpose.",
        synopsisSubcommandLabel = "COMMAND",
        subcommands = {
            FaultCommand.Create.class,
            FaultCommand.ListAll.class,
            FaultCommand.Describe.class,
            FaultCommand.Delete.class,
            FaultCommand.Sites.class
        })
final class FaultCommand implements Callable<Integer> {
    private static final String PREFIX = "faults/";

    @Spec private CommandSpec spec;

    @Override
    public Integer call() {
        spec.commandLine().usage(spec.commandLine().getErr());
        return ExitCodes.BAD_INPUT;
    }

    private static String name(String text) {
        return text.startsWith(PREFIX) ? text : PREFIX + text;
    }

    private static void print(ClientOptions options, List<Fault> faults) {
        Table table =
                new Table(
                                Table.Align.LEFT,
                                Table.Align.LEFT,
                                Table.Align.LEFT,
                                Table.Align.LEFT,
                                Table.Align.LEFT,
                                Table.Align.RIGHT,
                                Table.Align.RIGHT,
                                Table.Align.LEFT)
                        .row("NAME", "WHERE", "WHEN", "WHAT", "SCOPE", "MATCHES", "HITS", "STATE");
        for (Fault fault : faults) {
            table.row(
                    fault.getName(),
                    where(fault),
                    when(fault),
                    what(fault),
                    scope(fault),
                    Long.toString(fault.getMatches()),
                    Long.toString(fault.getHits()),
                    fault.getSpent() ? "spent" : "armed");
        }
        table.print(options.out());
    }

    private static String where(Fault fault) {
        return fault.hasLeaf() ? fault.getLeaf() : "memory: " + fault.getAllocationSite();
    }

    private static String when(Fault fault) {
        String start =
                fault.hasNth()
                        ? "call " + fault.getNth()
                        : "p=" + fault.getProbability() + ", seed " + fault.getSeed();
        return fault.getTimes() == 0 ? start : start + ", " + fault.getTimes() + " times";
    }

    private static String what(Fault fault) {
        String answer =
                fault.hasLeaf()
                        ? fault.getStatus().isEmpty() ? "as it would" : fault.getStatus()
                        : "none left";
        return fault.hasDelay()
                ? answer + " after " + Durations.toMillis(fault.getDelay()) + " ms"
                : answer;
    }

    private static String scope(Fault fault) {
        String td =
                fault.getTrustDomain().isEmpty()
                        ? ""
                        : MemoryStory.shortName(fault.getTrustDomain());
        String cpu = fault.hasCpu() ? "cpu" + fault.getCpu() : "";
        String both = (td + " " + cpu).strip();
        return both.isEmpty() ? "all" : both;
    }

    /** {@code seamlab fault create}. */
    @Command(
            name = "create",
            description = {
                "Arms a fault: the SEAMCALLs of a leaf answer a status and are not executed, or",
                "allocations at a site find no memory."
            },
            footer = {
                "",
                "Examples:",
                "  seamlab fault create --leaf TDH.MEM.PAGE.AUG --nth 3 --status OPERAND_BUSY",
                "  seamlab fault create --leaf MEM.RANGE.BLOCK --probability 0.1 --seed 7 \\",
                "      --status 'OPERAND_BUSY|SEPT_TREE' --td web",
                "  seamlab fault create --leaf TDH.VP.ENTER --nth 1 --times 100 --delay-ms 5 --cpu 2",
                "  seamlab fault create --site pamt-pair --nth 10"
            })
    static final class Create implements Callable<Integer> {
        /** Where it strikes. */
        static final class Target {
            @Option(
                    names = "--leaf",
                    required = true,
                    paramLabel = "LEAF",
                    description = "SEAMCALLs of this leaf, for example TDH.MEM.PAGE.AUG.")
            private @Nullable String leaf;

            @Option(
                    names = "--site",
                    required = true,
                    paramLabel = "SITE",
                    description = "Allocations at this site ('seamlab fault sites'); * for all.")
            private @Nullable String site;
        }

        /** When it strikes. */
        static final class Trigger {
            @Option(
                    names = "--nth",
                    required = true,
                    paramLabel = "N",
                    description = "At the Nth matching call from now, and those after it.")
            private @Nullable Long nth;

            @Option(
                    names = "--probability",
                    required = true,
                    paramLabel = "P",
                    description = "At each matching call with this probability, up to 1.")
            private @Nullable Double probability;
        }

        @Mixin private ClientOptions options;

        @ArgGroup(multiplicity = "1")
        private Target target;

        @ArgGroup(multiplicity = "1")
        private Trigger trigger;

        @Option(
                names = "--id",
                paramLabel = "ID",
                description = "Last part of its name; the server chooses one otherwise.")
        private String id = "";

        @Option(
                names = "--status",
                paramLabel = "STATUS",
                description = "What the call answers: 0x... or NAME or NAME|OPERAND.")
        private String status = "";

        @Option(
                names = "--times",
                paramLabel = "N",
                description = "Fires so often (default: once for --nth, always for --probability).")
        private long times;

        @Option(
                names = "--delay-ms",
                paramLabel = "MS",
                description = "The call takes this long before it answers.")
        private long delayMillis;

        @Option(names = "--seed", paramLabel = "N", description = "Seed of --probability.")
        private long seed;

        @Option(
                names = "--td",
                paramLabel = "NAME",
                description = "Only calls on behalf of this trust domain.")
        private @Nullable String td;

        @Option(names = "--cpu", paramLabel = "N", description = "Only calls on this CPU.")
        private @Nullable Integer cpu;

        @Override
        public Integer call() {
            try (Client client = options.connect()) {
                Fault fault =
                        client.faults()
                                .createFault(
                                        CreateFaultRequest.newBuilder()
                                                .setFaultId(id)
                                                .setFault(fault())
                                                .build());
                options.answer(fault, fault.getName());
            }
            return ExitCodes.OK;
        }

        private Fault fault() {
            Fault.Builder fault =
                    Fault.newBuilder().setStatus(status).setTimes(times).setSeed(seed);
            if (target.leaf != null) {
                fault.setLeaf(target.leaf);
            }
            if (target.site != null) {
                fault.setAllocationSite(target.site);
            }
            if (trigger.nth != null) {
                fault.setNth(trigger.nth);
            }
            if (trigger.probability != null) {
                fault.setProbability(trigger.probability);
            }
            if (delayMillis != 0) {
                fault.setDelay(Durations.fromMillis(delayMillis));
            }
            if (td != null) {
                fault.setTrustDomain(TdNameParameter.full(td));
            }
            if (cpu != null) {
                fault.setCpu(cpu);
            }
            return fault.build();
        }
    }

    /** {@code seamlab fault list}. */
    @Command(name = "list", description = "Lists faults, spent ones included.")
    static final class ListAll implements Callable<Integer> {
        @Mixin private ClientOptions options;

        @Override
        public Integer call() {
            List<Fault> all;
            try (Client client = options.connect()) {
                all =
                        Pages.all(
                                token ->
                                        client.faults()
                                                .listFaults(
                                                        ListFaultsRequest.newBuilder()
                                                                .setPageToken(token)
                                                                .build()),
                                ListFaultsResponse::getFaultsList,
                                ListFaultsResponse::getNextPageToken);
            }
            if (options.forPrograms()) {
                options.print(ListFaultsResponse.newBuilder().addAllFaults(all));
            } else {
                print(options, all);
            }
            return ExitCodes.OK;
        }
    }

    /** {@code seamlab fault describe}. */
    @Command(name = "describe", description = "Shows a fault and how often it fired.")
    static final class Describe implements Callable<Integer> {
        @Mixin private ClientOptions options;

        @Parameters(paramLabel = "NAME", description = "Fault, with or without faults/.")
        private String name;

        @Override
        public Integer call() {
            try (Client client = options.connect()) {
                Fault fault =
                        client.faults()
                                .getFault(GetFaultRequest.newBuilder().setName(name(name)).build());
                if (options.forPrograms()) {
                    options.print(fault);
                } else {
                    print(options, List.of(fault));
                }
            }
            return ExitCodes.OK;
        }
    }

    /** {@code seamlab fault delete}. */
    @Command(name = "delete", description = "Disarms and forgets a fault.")
    static final class Delete implements Callable<Integer> {
        @Mixin private ClientOptions options;

        @Parameters(paramLabel = "NAME", description = "Fault, with or without faults/.")
        private String name;

        @Override
        public Integer call() {
            try (Client client = options.connect()) {
                var _ =
                        client.faults()
                                .deleteFault(
                                        DeleteFaultRequest.newBuilder()
                                                .setName(name(name))
                                                .build());
            }
            return ExitCodes.OK;
        }
    }

    /** {@code seamlab fault sites}. */
    @Command(name = "sites", description = "Lists the places where memory is allocated.")
    static final class Sites implements Callable<Integer> {
        @Mixin private ClientOptions options;

        @Override
        public Integer call() {
            try (Client client = options.connect()) {
                ListAllocationSitesResponse sites =
                        client.faults()
                                .listAllocationSites(
                                        ListAllocationSitesRequest.getDefaultInstance());
                if (options.forPrograms()) {
                    options.print(sites);
                    return ExitCodes.OK;
                }
                Table table = new Table(Table.Align.LEFT, Table.Align.LEFT).row("NAME", "WHAT");
                for (AllocationSite site : sites.getSitesList()) {
                    table.row(site.getName(), site.getDescription());
                }
                table.print(options.out());
            }
            return ExitCodes.OK;
        }
    }
}
