// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import com.google.protobuf.util.Timestamps;
import dev.seamlab.v1.Event;
import dev.seamlab.v1.HostStatus;
import dev.seamlab.v1.WatchHostRequest;
import dev.seamlab.v1.WatchHostResponse;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code seamlab host watch}. */
@Command(
        name = "watch",
        description = {
            "Follows the host: its events, and what it has in use whenever that changes.",
            "Goes on by itself where the connection drops; ends with Ctrl-C."
        },
        footer = {
            "",
            "Examples:",
            "  seamlab host watch",
            "  seamlab host watch --since TOKEN -o json"
        })
final class HostWatchCommand implements Callable<Integer> {
    @Mixin private ClientOptions options;

    @Option(
            names = "--since",
            paramLabel = "TOKEN",
            description =
                    "Begin behind this resume token, which -o json shows (default: the next event).")
    private String since = "";

    @Override
    public Integer call() {
        try (Client client = options.connect()) {
            new Following<>(
                            token ->
                                    client.endlessHost()
                                            .watchHost(
                                                    WatchHostRequest.newBuilder()
                                                            .setResumeToken(token)
                                                            .build()),
                            WatchHostResponse::getResumeToken,
                            since,
                            options.err())
                    .run(this::print);
        }
        return ExitCodes.OK;
    }

    private void print(WatchHostResponse message) {
        if (options.forPrograms()) {
            options.print(message);
            return;
        }
        if (message.hasEvent()) {
            Event event = message.getEvent();
            options.out()
                    .println(
                            Timestamps.toString(event.getTime())
                                    + "  "
                                    + event.getType()
                                    + "  "
                                    + event.getText());
        }
        if (message.hasStatus()) {
            options.out().println(line(message.getStatus()));
        }
        options.out().flush();
    }

    private static String line(HostStatus status) {
        String offline =
                status.getOfflineCpusList().stream()
                        .map(String::valueOf)
                        .collect(Collectors.joining(","));
        return String.format(
                "%d trust domains, %d KeyIDs free, %s memory free, dynamic PAMT %s, offline CPUs %s",
                status.getTrustDomainCount(),
                status.getKeyIds().getFree(),
                Sizes.show(status.getFreeBytes()),
                Sizes.show(status.getPamt().getDynamicBytes()),
                offline.isEmpty() ? "none" : offline);
    }
}
