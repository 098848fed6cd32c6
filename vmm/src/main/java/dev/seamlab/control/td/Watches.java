// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.td;

import dev.seamlab.control.call.Drain;
import dev.seamlab.control.call.Limits;
import dev.seamlab.control.call.Outlet;
import dev.seamlab.control.call.Rejection;
import dev.seamlab.control.call.TrustDomainName;
import dev.seamlab.control.events.EventLog;
import dev.seamlab.v1.WaitTrustDomainRequest;
import dev.seamlab.v1.WaitTrustDomainResponse;
import dev.seamlab.v1.WatchTrustDomainResponse;
import dev.seamlab.v1.WatchTrustDomainsResponse;
import dev.seamlab.vmm.Outcome;
import dev.seamlab.vmm.TdSnapshot;
import dev.seamlab.vmm.TdState;
import dev.seamlab.vmm.TdSubscription;
import dev.seamlab.vmm.TrustDomain;
import dev.seamlab.vmm.Vmm;
import io.grpc.Context;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import jakarta.inject.Singleton;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * Streams of changes. Each lives on the thread of its call and holds one message at most: a client
 * that reads slowly gets fewer messages, never old ones.
 */
@Singleton
final class Watches {
    /** Progress alone is told no more often than this; a change of state at once. */
    private static final Duration PACE = Duration.ofMillis(50);

    /** How long a quiet stream goes without looking whether the client is still there. */
    private static final Duration LOOK = Duration.ofMillis(250);

    private final Vmm vmm;
    private final Births births;
    private final TrustDomainMapper mapper;
    private final EventLog log;
    private final Drain drain;
    private final int max;
    private final AtomicInteger open = new AtomicInteger();

    Watches(
            Vmm vmm,
            Births births,
            TrustDomainMapper mapper,
            EventLog log,
            Drain drain,
            Limits limits) {
        this.vmm = vmm;
        this.log = log;
        this.births = births;
        this.mapper = mapper;
        this.drain = drain;
        this.max = limits.watches();
    }

    /** Streams and waits that are open now. */
    int open() {
        return open.get();
    }

    /** Follows one trust domain until it is gone or the client is. */
    void one(TrustDomain td, String resumeToken, StreamObserver<WatchTrustDomainResponse> out) {
        Outlet<WatchTrustDomainResponse> outlet = enter(out);
        try {
            Birth birth = births.of(td.id());
            TdSnapshot last = follow(td, birth, resumeToken, outlet);
            while (outlet.isOpen() && isThere(td) && td.state() == TdState.DELETING) {
                outlet.rest(PACE); // its stream ends a little before its name is free
            }
            if (outlet.awaitRoom()) {
                if (isThere(td)) {
                    throw Rejection.aborted(
                            "WATCH_TOO_SLOW",
                            TrustDomainName.of(td.id()),
                            "the watch fell too far behind: begin again with the last"
                                    + " resume_token");
                }
                TdSnapshot end = last == null ? td.snapshot() : last;
                outlet.send(message(td, end, birth).setDeleted(true).build());
            }
            outlet.complete();
        } finally {
            open.decrementAndGet();
        }
    }

    /** Returns when the stream is over: with the last snapshot when the trust domain is gone. */
    private @Nullable TdSnapshot follow(
            TrustDomain td,
            Birth birth,
            String resumeToken,
            Outlet<WatchTrustDomainResponse> outlet) {
        TdSnapshot last = null;
        try (TdSubscription changes =
                td.subscribe(TrustDomainMapper.revision(birth, resumeToken))) {
            while (!changes.ended() && outlet.isOpen()) {
                Optional<TdSnapshot> next = changes.next(LOOK);
                if (next.isEmpty()) {
                    continue;
                }
                boolean moved = last == null || last.state() != next.get().state();
                last = next.get();
                if (outlet.awaitRoom()) {
                    outlet.send(message(td, last, birth).build());
                }
                if (!moved) {
                    outlet.rest(PACE);
                }
            }
        }
        return last;
    }

    private WatchTrustDomainResponse.Builder message(
            TrustDomain td, TdSnapshot snapshot, Birth birth) {
        return WatchTrustDomainResponse.newBuilder()
                .setTrustDomain(mapper.toProto(td, snapshot, birth))
                .setResumeToken(TrustDomainMapper.version(birth, snapshot));
    }

    /**
     * Waits until a trust domain is where the caller wants it, FAILED, or gone. Ends early, with
     * what is true then, where the caller goes away or the server does.
     */
    WaitTrustDomainResponse await(TrustDomain td, WaitTrustDomainRequest request) {
        Context context = Context.current();
        count();
        Birth birth = births.of(td.id());
        TdSnapshot now = td.snapshot();
        try (TdSubscription changes = td.subscribe(now.revision())) {
            while (!isWanted(now, td, request)
                    && !changes.ended()
                    && !context.isCancelled()
                    && !drain.hasBegun()) {
                now = changes.next(LOOK).orElse(now);
            }
            return WaitTrustDomainResponse.newBuilder()
                    .setTrustDomain(mapper.toProto(td, now, birth))
                    .setDeleted(changes.ended())
                    .build();
        } finally {
            open.decrementAndGet();
        }
    }

    private static boolean isWanted(
            TdSnapshot now, TrustDomain td, WaitTrustDomainRequest request) {
        boolean finished =
                request.getFinished() && now.progress().finishedVcpus() == td.spec().vcpus();
        return finished
                || now.state() == TdState.FAILED
                || request.getStatesList().contains(TrustDomainMapper.toProto(now.state()));
    }

    /** Follows all trust domains until the client is gone. */
    void all(String resumeToken, StreamObserver<WatchTrustDomainsResponse> out) {
        Outlet<WatchTrustDomainsResponse> outlet = enter(out);
        try {
            Feed feed = new Feed(vmm, births, mapper, log, outlet);
            if (!resumeToken.isEmpty()) {
                feed.resume(log.position("resume_token", resumeToken));
            }
            while (outlet.isOpen()) {
                feed.look();
                outlet.rest(PACE);
            }
            outlet.complete();
        } finally {
            open.decrementAndGet();
        }
    }

    private boolean isThere(TrustDomain td) {
        return vmm.get(td.id()) instanceof Outcome.Done<TrustDomain>(TrustDomain present)
                && isSame(present, td);
    }

    /** Another trust domain may have taken the name, so equal names do not tell. */
    @SuppressWarnings("ReferenceEquality") // Identity is the question.
    private static boolean isSame(@Nullable TrustDomain one, TrustDomain other) {
        return one == other;
    }

    private void count() {
        if (open.incrementAndGet() > max) {
            open.decrementAndGet();
            throw Rejection.exhausted(
                    "TOO_MANY_WATCHES",
                    "watches",
                    max + " watches are open: close one and try again");
        }
    }

    private <A> Outlet<A> enter(StreamObserver<A> out) {
        count();
        return new Outlet<>((ServerCallStreamObserver<A>) out, drain::hasBegun);
    }
}
