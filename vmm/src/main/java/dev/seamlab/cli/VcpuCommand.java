// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import dev.seamlab.v1.ListVcpusRequest;
import dev.seamlab.v1.ListVcpusResponse;
import dev.seamlab.v1.RunVcpuRequest;
import dev.seamlab.v1.RunVcpuResponse;
import dev.seamlab.v1.Vcpu;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code seamlab vcpu}. */
@Command(
        name = "vcpu",
        description = "Shows the vCPUs of trust domains and drives them by hand.",
        synopsisSubcommandLabel = "COMMAND",
        subcommands = {VcpuCommand.ListAll.class, VcpuCommand.Run.class})
final class VcpuCommand implements Callable<Integer> {
    @Spec private CommandSpec spec;

    @Override
    public Integer call() {
        spec.commandLine().usage(spec.commandLine().getErr());
        return ExitCodes.BAD_INPUT;
    }

    /** {@code seamlab vcpu list}. */
    @Command(
            name = "list",
            description = "Lists the vCPUs of a trust domain.",
            footer = {"", "Example:", "  seamlab vcpu list web"})
    static final class ListAll implements Callable<Integer> {
        @Mixin private ClientOptions options;
        @Mixin private TdNameParameter name;

        @Override
        public Integer call() {
            List<Vcpu> all;
            try (Client client = options.connect()) {
                all =
                        Pages.all(
                                token ->
                                        client.vcpus()
                                                .listVcpus(
                                                        ListVcpusRequest.newBuilder()
                                                                .setParent(name.get())
                                                                .setPageToken(token)
                                                                .build()),
                                ListVcpusResponse::getVcpusList,
                                ListVcpusResponse::getNextPageToken);
            }
            if (options.forPrograms()) {
                options.print(ListVcpusResponse.newBuilder().addAllVcpus(all));
            } else {
                print(all);
            }
            return ExitCodes.OK;
        }

        private void print(List<Vcpu> all) {
            Table table =
                    new Table(
                                    Table.Align.RIGHT,
                                    Table.Align.LEFT,
                                    Table.Align.LEFT,
                                    Table.Align.LEFT,
                                    Table.Align.RIGHT,
                                    Table.Align.RIGHT,
                                    Table.Align.RIGHT)
                            .row("VCPU", "STATE", "CPU", "TDVPR", "OPERATIONS", "EXITS", "POOL");
            for (Vcpu vcpu : all) {
                table.row(
                        Integer.toString(vcpu.getIndex()),
                        vcpu.getState().name(),
                        vcpu.getCpu() < 0 ? "-" : Integer.toString(vcpu.getCpu()),
                        "0x" + Long.toHexString(vcpu.getTdvprHpa()),
                        Long.toString(vcpu.getOperations()),
                        Long.toString(vcpu.getTdExits()),
                        Long.toString(vcpu.getPoolPages()));
            }
            table.print(options.out());
        }
    }

    /** {@code seamlab vcpu run}. */
    @Command(
            name = "run",
            description = "Runs a vCPU of a READY or PAUSED trust domain to its next exit.",
            footer = {"", "Example:", "  seamlab vcpu run web 0 --serve-conversions"})
    static final class Run implements Callable<Integer> {
        @Mixin private ClientOptions options;

        @Parameters(
                index = "0",
                paramLabel = "NAME",
                description = "Trust domain, with or without trustDomains/.")
        private String name;

        @Parameters(index = "1", paramLabel = "VCPU", description = "Index of the vCPU, from 0.")
        private int vcpu;

        @Option(
                names = "--serve-conversions",
                description = "Convert memory as the server does, and go on.")
        private boolean serve;

        @Override
        public Integer call() {
            try (Client client = options.connect()) {
                RunVcpuResponse answer =
                        client.vcpus()
                                .runVcpu(
                                        RunVcpuRequest.newBuilder()
                                                .setName(
                                                        TdNameParameter.full(name)
                                                                + "/vcpus/"
                                                                + vcpu)
                                                .setServeConversions(serve)
                                                .build());
                if (options.forPrograms()) {
                    options.print(answer);
                } else {
                    options.out()
                            .println(
                                    answer.getExit().getReason()
                                            + ": "
                                            + answer.getExit().getText());
                    options.out().flush();
                }
            }
            return ExitCodes.OK;
        }
    }
}
