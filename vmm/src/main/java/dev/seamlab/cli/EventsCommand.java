// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import com.google.protobuf.util.Timestamps;
import dev.seamlab.v1.Event;
import dev.seamlab.v1.ListEventsRequest;
import dev.seamlab.v1.ListEventsResponse;
import dev.seamlab.v1.WatchEventsRequest;
import dev.seamlab.v1.WatchEventsResponse;
import java.util.Iterator;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code seamlab events}. */
@Command(
        name = "events",
        description = "Lists what happened on the host, or follows it.",
        footer = {
            "",
            "Examples:",
            "  seamlab events",
            "  seamlab events --filter 'type=TRUST_DOMAIN_STATE AND subject=trustDomains/web'",
            "  seamlab events --follow",
            "  seamlab events --since 0 --follow"
        })
final class EventsCommand implements Callable<Integer> {
    private static final int PAGE = 1000;

    @Mixin private ClientOptions options;

    @Option(
            names = "--filter",
            paramLabel = "FILTER",
            description = "type=TYPE, subject=NAME, or both joined by AND.")
    private String filter = "";

    @Option(
            names = "--since",
            paramLabel = "TOKEN",
            description =
                    "With --follow: begin behind this resume token, which -o json shows; 0 begins with"
                            + " the oldest event that is kept (default: the next event).")
    private String since = "";

    @Option(
            names = {"-f", "--follow"},
            description =
                    "Go on as events happen, also where the connection drops; ends with Ctrl-C.")
    private boolean follow;

    private long dropped; // of the stream that is followed

    @Override
    public Integer call() {
        try (Client client = options.connect()) {
            if (follow) {
                follow(client);
            } else {
                list(client);
            }
            return ExitCodes.OK;
        }
    }

    private void list(Client client) {
        String token = "";
        do {
            ListEventsResponse page =
                    client.events()
                            .listEvents(
                                    ListEventsRequest.newBuilder()
                                            .setPageSize(PAGE)
                                            .setFilter(filter)
                                            .setPageToken(token)
                                            .build());
            if (page.getDropped() > 0) {
                missed(page.getDropped());
            }
            if (options.forPrograms()) {
                options.print(page);
            } else {
                page.getEventsList().forEach(this::print);
            }
            token = page.getNextPageToken();
        } while (!token.isEmpty());
    }

    private void follow(Client client) {
        new Following<>(
                        token -> watch(client, token),
                        WatchEventsResponse::getResumeToken,
                        since,
                        options.err())
                .run(this::tell);
    }

    private Iterator<WatchEventsResponse> watch(Client client, String token) {
        dropped = 0;
        return client.endlessEvents()
                .watchEvents(
                        WatchEventsRequest.newBuilder()
                                .setFilter(filter)
                                .setResumeToken(token)
                                .build());
    }

    private void tell(WatchEventsResponse message) {
        if (message.getDropped() > dropped) {
            missed(message.getDropped() - dropped);
            dropped = message.getDropped();
        }
        if (options.forPrograms()) {
            options.print(message);
        } else if (message.hasEvent()) {
            print(message.getEvent());
        }
    }

    private void missed(long events) {
        options.err().println("seamlab: " + events + " events were overwritten before");
        options.err().flush();
    }

    private void print(Event event) {
        options.out()
                .println(
                        Timestamps.toString(event.getTime())
                                + "  "
                                + event.getType()
                                + "  "
                                + (event.getSubject().isEmpty() ? "" : event.getSubject() + "  ")
                                + event.getText());
        options.out().flush();
    }
}
