// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import dev.seamlab.v1.Cmr;
import dev.seamlab.v1.GetModuleInfoRequest;
import dev.seamlab.v1.HostCpu;
import dev.seamlab.v1.KeyId;
import dev.seamlab.v1.ListCmrsRequest;
import dev.seamlab.v1.ListCmrsResponse;
import dev.seamlab.v1.ListCpusRequest;
import dev.seamlab.v1.ListCpusResponse;
import dev.seamlab.v1.ListKeyIdsRequest;
import dev.seamlab.v1.ListKeyIdsResponse;
import dev.seamlab.v1.ListTdmrsRequest;
import dev.seamlab.v1.ListTdmrsResponse;
import dev.seamlab.v1.ModuleFeature;
import dev.seamlab.v1.ModuleInfo;
import dev.seamlab.v1.PamtSlot;
import dev.seamlab.v1.ReservedArea;
import dev.seamlab.v1.Tdmr;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** Commands below {@code seamlab host} that list what it is made of. */
final class HostHardware {
    private static final Table.Align LEFT = Table.Align.LEFT;
    private static final Table.Align RIGHT = Table.Align.RIGHT;

    private HostHardware() {}

    /** {@code seamlab host module}. */
    @Command(
            name = "module",
            description = "Shows what the TDX module says of itself, TDX_FEATURES0 bit by bit.",
            footer = {"", "Example:", "  seamlab host module"})
    static final class Module implements Callable<Integer> {
        @Mixin private ClientOptions options;

        @Override
        public Integer call() {
            try (Client client = options.connect()) {
                ModuleInfo info =
                        client.host().getModuleInfo(GetModuleInfoRequest.getDefaultInstance());
                if (options.forPrograms()) {
                    options.print(info);
                    return ExitCodes.OK;
                }
                options.out().println("TDX module " + info.getVersion());
                options.out().println("TDX_FEATURES0 " + Hex.word(info.getFeatures0()));
                Table table = new Table(RIGHT, LEFT, LEFT);
                for (ModuleFeature feature : info.getFeaturesList()) {
                    table.row(
                            Integer.toString(feature.getBit()),
                            feature.getSupported() ? "yes" : "no",
                            feature.getName());
                }
                table.print(options.out(), "  ");
                return ExitCodes.OK;
            }
        }
    }

    /** {@code seamlab host cmrs}. */
    @Command(
            name = "cmrs",
            description = "Lists the convertible memory ranges.",
            footer = {"", "Example:", "  seamlab host cmrs"})
    static final class Cmrs implements Callable<Integer> {
        @Mixin private ClientOptions options;

        @Override
        public Integer call() {
            try (Client client = options.connect()) {
                ListCmrsResponse answer =
                        client.host().listCmrs(ListCmrsRequest.getDefaultInstance());
                if (options.forPrograms()) {
                    options.print(answer);
                    return ExitCodes.OK;
                }
                Table table = new Table(LEFT, RIGHT).row("BASE", "SIZE");
                for (Cmr cmr : answer.getCmrsList()) {
                    table.row(Hex.word(cmr.getBaseHpa()), Sizes.show(cmr.getSizeBytes()));
                }
                table.print(options.out());
                return ExitCodes.OK;
            }
        }
    }

    /** {@code seamlab host tdmrs}. */
    @Command(
            name = "tdmrs",
            description = "Lists the TD memory regions with their PAMT and reserved areas.",
            footer = {"", "Example:", "  seamlab host tdmrs"})
    static final class Tdmrs implements Callable<Integer> {
        @Mixin private ClientOptions options;

        @Override
        public Integer call() {
            try (Client client = options.connect()) {
                ListTdmrsResponse answer =
                        client.host().listTdmrs(ListTdmrsRequest.getDefaultInstance());
                if (options.forPrograms()) {
                    options.print(answer);
                    return ExitCodes.OK;
                }
                Table table = new Table(LEFT, LEFT, RIGHT).row("WHAT", "BASE", "SIZE");
                for (Tdmr tdmr : answer.getTdmrsList()) {
                    row(table, "TDMR", tdmr.getBaseHpa(), tdmr.getSizeBytes());
                    row(table, "  PAMT 4K", tdmr.getPamt4K());
                    row(table, "  PAMT 2M", tdmr.getPamt2M());
                    row(table, "  PAMT 1G", tdmr.getPamt1G());
                    for (ReservedArea area : tdmr.getReservedAreasList()) {
                        row(table, "  reserved", area.getBaseHpa(), area.getSizeBytes());
                    }
                }
                table.print(options.out());
                return ExitCodes.OK;
            }
        }

        private static void row(Table table, String what, PamtSlot slot) {
            row(table, what, slot.getBaseHpa(), slot.getSizeBytes());
        }

        private static void row(Table table, String what, long base, long bytes) {
            var _ = table.row(what, Hex.word(base), Sizes.show(bytes));
        }
    }

    /** {@code seamlab host keyids}. */
    @Command(
            name = "keyids",
            description = "Lists the private KeyIDs and who has them.",
            footer = {"", "Example:", "  seamlab host keyids"})
    static final class KeyIds implements Callable<Integer> {
        @Mixin private ClientOptions options;

        @Override
        public Integer call() {
            try (Client client = options.connect()) {
                ListKeyIdsResponse answer =
                        client.host().listKeyIds(ListKeyIdsRequest.getDefaultInstance());
                if (options.forPrograms()) {
                    options.print(answer);
                    return ExitCodes.OK;
                }
                Table table = new Table(RIGHT, LEFT, LEFT).row("KEYID", "STATE", "TRUST DOMAIN");
                for (KeyId keyId : answer.getKeyIdsList()) {
                    table.row(
                            Integer.toString(keyId.getHkid()),
                            keyId.getState().name(),
                            MemoryStory.shortName(keyId.getTrustDomain()));
                }
                table.print(options.out());
                return ExitCodes.OK;
            }
        }
    }

    /** {@code seamlab host cpus}. */
    @Command(
            name = "cpus",
            description = "Lists the logical CPUs.",
            footer = {"", "Example:", "  seamlab host cpus"})
    static final class Cpus implements Callable<Integer> {
        @Mixin private ClientOptions options;

        @Override
        public Integer call() {
            try (Client client = options.connect()) {
                ListCpusResponse answer =
                        client.host().listCpus(ListCpusRequest.getDefaultInstance());
                if (options.forPrograms()) {
                    options.print(answer);
                    return ExitCodes.OK;
                }
                Table table =
                        new Table(RIGHT, RIGHT, RIGHT, LEFT).row("CPU", "PACKAGE", "NODE", "STATE");
                for (HostCpu cpu : answer.getCpusList()) {
                    table.row(
                            Integer.toString(cpu.getCpu()),
                            Integer.toString(cpu.getPackage()),
                            Integer.toString(cpu.getNode()),
                            cpu.getOnline() ? "online" : "offline");
                }
                table.print(options.out());
                return ExitCodes.OK;
            }
        }
    }
}
