// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.events;

import com.google.protobuf.util.Durations;
import dev.seamlab.control.call.Drain;
import dev.seamlab.control.call.Outlet;
import dev.seamlab.control.call.Rejection;
import dev.seamlab.machine.sched.Waits;
import dev.seamlab.v1.Event;
import dev.seamlab.v1.WatchEventsRequest;
import dev.seamlab.v1.WatchEventsResponse;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import jakarta.inject.Singleton;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;

/**
 * Streams of events. Each lives on the thread of its call and holds a position and one message: a
 * client that reads slowly loses events to the ring, and is told how many.
 */
@Singleton
final class EventWatches {
    /** Streams at once. */
    static final int MAX = 256;

    private static final long BOOKMARK_NANOS = Duration.ofSeconds(10).toNanos();

    /** How long a stream without news rests before it looks again. */
    private static final Duration LOOK = Duration.ofMillis(20);

    private final EventLog log;
    private final Drain drain;
    private final AtomicInteger open = new AtomicInteger();

    EventWatches(EventLog log, Drain drain) {
        this.log = log;
        this.drain = drain;
    }

    /** Follows events until the client or the server goes. */
    void follow(WatchEventsRequest request, StreamObserver<WatchEventsResponse> out) {
        Predicate<Event> wanted = EventFilter.of(request.getFilter());
        EventCursor cursor = new EventCursor(log, first(request.getResumeToken()));
        long bookmarkNanos =
                request.hasBookmarkInterval()
                        ? Durations.toNanos(request.getBookmarkInterval())
                        : BOOKMARK_NANOS;
        if (open.incrementAndGet() > MAX) {
            open.decrementAndGet();
            throw Rejection.exhausted(
                    "TOO_MANY_WATCHES",
                    "eventWatches",
                    MAX + " watches of events are open: close one and try again");
        }
        try {
            Outlet<WatchEventsResponse> outlet =
                    new Outlet<>(
                            (ServerCallStreamObserver<WatchEventsResponse>) out, drain::hasBegun);
            pump(cursor, wanted, bookmarkNanos, outlet);
            outlet.complete();
        } finally {
            open.decrementAndGet();
        }
    }

    private long first(String token) {
        return switch (token) {
            case "" -> log.last() + 1;
            case "0" -> log.oldest();
            default -> EventTokens.read(log, "resume_token", token) + 1;
        };
    }

    private void pump(
            EventCursor cursor,
            Predicate<Event> wanted,
            long bookmarkNanos,
            Outlet<WatchEventsResponse> outlet) {
        outlet.send(message(cursor).build());
        long told = Waits.nanoTime();
        while (outlet.awaitRoom()) {
            Event event = cursor.poll();
            boolean matches = event != null && wanted.test(event);
            if (matches || Waits.nanoTime() - told >= bookmarkNanos) {
                WatchEventsResponse.Builder message = message(cursor);
                if (matches) {
                    message.setEvent(event);
                }
                outlet.send(message.build());
                told = Waits.nanoTime();
            } else if (event == null) {
                outlet.rest(LOOK);
            }
        }
    }

    private WatchEventsResponse.Builder message(EventCursor cursor) {
        return WatchEventsResponse.newBuilder()
                .setResumeToken(EventTokens.write(log, cursor.position()))
                .setDropped(cursor.dropped());
    }
}
