// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.host;

import com.google.protobuf.util.Durations;
import dev.seamlab.control.call.Drain;
import dev.seamlab.control.call.Limits;
import dev.seamlab.control.call.Outlet;
import dev.seamlab.control.call.Rejection;
import dev.seamlab.control.events.EventCursor;
import dev.seamlab.control.events.EventLog;
import dev.seamlab.machine.sched.Waits;
import dev.seamlab.v1.Event;
import dev.seamlab.v1.HostStatus;
import dev.seamlab.v1.WatchHostRequest;
import dev.seamlab.v1.WatchHostResponse;
import dev.seamlab.vmm.Vmm;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import jakarta.inject.Singleton;
import java.time.Duration;
import java.util.EnumSet;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Streams of what happens to the host. Each lives on the thread of its call and holds a place in
 * the log of events and one message.
 */
@Singleton
final class HostWatches {
    /** Events that are the host's own; trust domains and operations have watches of theirs. */
    private static final Set<Event.Type> OF_THE_HOST =
            EnumSet.of(
                    Event.Type.HOST_LOG,
                    Event.Type.CPU,
                    Event.Type.FAULT_FIRED,
                    Event.Type.PAGE_LEAKED,
                    Event.Type.AUDIT);

    private static final long USUAL_NANOS = Duration.ofSeconds(1).toNanos();
    private static final long BOOKMARK_NANOS = Duration.ofSeconds(10).toNanos();

    /** How long a stream without news rests before it looks again. */
    private static final Duration LOOK = Duration.ofMillis(20);

    private final Vmm vmm;
    private final EventLog log;
    private final Drain drain;
    private final int max;
    private final AtomicInteger open = new AtomicInteger();

    HostWatches(Vmm vmm, EventLog log, Drain drain, Limits limits) {
        this.vmm = vmm;
        this.log = log;
        this.drain = drain;
        this.max = limits.watches();
    }

    /** Follows the host until the client or the server goes. */
    void follow(WatchHostRequest request, StreamObserver<WatchHostResponse> out) {
        String token = request.getResumeToken();
        long after = token.isEmpty() ? log.last() : log.position("resume_token", token);
        long interval =
                request.hasInterval() ? Durations.toNanos(request.getInterval()) : USUAL_NANOS;
        if (open.incrementAndGet() > max) {
            open.decrementAndGet();
            throw Rejection.exhausted(
                    "TOO_MANY_WATCHES",
                    "hostWatches",
                    max + " watches of the host are open: close one and try again");
        }
        try {
            Outlet<WatchHostResponse> outlet =
                    new Outlet<>(
                            (ServerCallStreamObserver<WatchHostResponse>) out, drain::hasBegun);
            pump(log.after(after), interval, outlet);
            outlet.complete();
        } finally {
            open.decrementAndGet();
        }
    }

    private void pump(EventCursor events, long interval, Outlet<WatchHostResponse> outlet) {
        HostStatus told = HostStatus.getDefaultInstance();
        long looked = Waits.nanoTime() - interval;
        long spoke = Waits.nanoTime();
        while (outlet.awaitRoom()) {
            WatchHostResponse.Builder message = WatchHostResponse.newBuilder();
            Event event = events.poll();
            if (events.dropped() > 0) {
                throw Rejection.aborted(
                        "WATCH_TOO_SLOW",
                        "host",
                        "the watch fell too far behind: begin again without a resume_token");
            }
            if (event != null) {
                if (!OF_THE_HOST.contains(event.getType())) {
                    continue;
                }
                message.setEvent(event);
                looked = Waits.nanoTime() - interval;
            } else if (Waits.nanoTime() - looked >= interval) {
                looked = Waits.nanoTime();
                HostStatus now = HostMapper.status(vmm);
                if (!now.equals(told)) {
                    message.setStatus(now);
                    told = now;
                }
            }
            boolean news = message.hasEvent() || message.hasStatus();
            if (news || Waits.nanoTime() - spoke >= BOOKMARK_NANOS) {
                outlet.send(message.setResumeToken(log.token(events.position())).build());
                spoke = Waits.nanoTime();
            } else {
                outlet.rest(LOOK);
            }
        }
    }
}
