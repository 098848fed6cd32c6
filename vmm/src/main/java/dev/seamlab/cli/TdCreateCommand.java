// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import com.google.longrunning.Operation;
import dev.seamlab.v1.Attributes;
import dev.seamlab.v1.CreateTrustDomainRequest;
import dev.seamlab.v1.Firmware;
import dev.seamlab.v1.GuestProgram;
import dev.seamlab.v1.TrustDomain;
import java.nio.file.Path;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code seamlab td create}. */
@Command(
        name = "create",
        description = "Builds a trust domain and waits until it is ready.",
        footer = {
            "",
            "Examples:",
            "  seamlab td create --id web --memory 256M --vcpus 2 --guest 'boot-lazy percent=50'",
            "  seamlab td create --id edk2 --memory 1G --firmware /usr/share/ovmf/OVMF.fd --start",
            "  seamlab td create --guest 'accept 16m..32m; touch 16m..32m; halt'"
        })
final class TdCreateCommand implements Callable<Integer> {
    @Mixin private ClientOptions options;

    @Option(names = "--id", paramLabel = "ID", description = "Its name (default: server chooses).")
    private String id = "";

    @Option(
            names = {"-m", "--memory"},
            paramLabel = "SIZE",
            defaultValue = "256M",
            converter = Sizes.Converter.class,
            description = "Guest memory (default: ${DEFAULT-VALUE}).")
    private long memory;

    @Option(
            names = "--vcpus",
            paramLabel = "N",
            defaultValue = "1",
            description = "vCPUs (default: ${DEFAULT-VALUE}).")
    private int vcpus;

    @Option(
            names = "--firmware",
            paramLabel = "FILE",
            description = "TDVF image, for example OVMF.fd (default: the embedded one).")
    private Path firmware;

    @ArgGroup private Guest guest = new Guest();

    /** Where the guest program comes from. */
    private static final class Guest {
        @Option(
                names = "--guest",
                paramLabel = "PROGRAM",
                defaultValue = "boot-lazy",
                description =
                        "A built-in with its parameters, or operations (default: boot-lazy);"
                                + " 'seamlab programs' lists the built-ins.")
        private String text = "boot-lazy";

        @Option(names = "--guest-file", paramLabel = "FILE", description = "Read it from a file.")
        private Path file;
    }

    @Option(names = "--debug", description = "Set ATTRIBUTES.DEBUG.")
    private boolean debug;

    @Option(
            names = "--large-pages",
            description = "Map private memory at 2M where the guest accepts it so.")
    private boolean largePages;

    @Option(
            names = "--label",
            paramLabel = "KEY=VALUE",
            description = "A label to find it by; may be repeated.")
    private Map<String, String> labels = Map.of();

    @Option(
            names = "--display-name",
            paramLabel = "TEXT",
            description = "A name for people; the default is none.")
    private String displayName = "";

    @Option(names = "--start", description = "Start it once it is ready.")
    private boolean start;

    @Mixin private WaitOption wait;

    @Option(names = "--validate-only", description = "Check the request and build nothing.")
    private boolean validateOnly;

    @Override
    public Integer call() {
        TrustDomain.Builder wanted =
                TrustDomain.newBuilder()
                        .setMemoryBytes(memory)
                        .setVcpuCount(vcpus)
                        .setLargePages(largePages)
                        .setDisplayName(displayName)
                        .putAllLabels(labels)
                        .setGuestProgram(GuestProgram.newBuilder().setText(program()));
        if (firmware != null) {
            wanted.setFirmware(
                    Firmware.newBuilder().setImage(InputFiles.read("--firmware", firmware)));
        }
        if (debug) {
            wanted.setAttributes(Attributes.newBuilder().setDebug(true).setSeptVeDisable(true));
        }
        try (Client client = options.connect()) {
            Operation operation =
                    client.trustDomains()
                            .createTrustDomain(
                                    CreateTrustDomainRequest.newBuilder()
                                            .setTrustDomainId(id)
                                            .setTrustDomain(wanted)
                                            .setRequestId(UUID.randomUUID().toString())
                                            .setValidateOnly(validateOnly)
                                            .setStart(start)
                                            .build());
            if (!wait.isWanted()) {
                options.printOperation(operation);
                return ExitCodes.OK;
            }
            TrustDomain built =
                    client.await(
                            operation,
                            TrustDomain.class,
                            new WaitLine(options.err(), Terminal.isScreen())::show);
            TdPrinter.print(options, built);
        }
        return ExitCodes.OK;
    }

    private String program() {
        return guest.file == null
                ? guest.text
                : InputFiles.read("--guest-file", guest.file).toStringUtf8();
    }
}
