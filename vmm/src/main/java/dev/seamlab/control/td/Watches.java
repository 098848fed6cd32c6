// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.td;

import dev.seamlab.control.call.Drain;
import dev.seamlab.control.call.Outlet;
import dev.seamlab.control.call.Rejection;
import dev.seamlab.control.call.TrustDomainName;
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
import java.util.HashMap;
import java.util.Iterator;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * Streams of changes. Each lives on the thread of its call and holds one message at most: a client
 * that reads slowly gets fewer messages, never old ones.
 */
@Singleton
final class Watches {
    /** Streams at once; further ones are refused. */
    static final int MAX = 256;

    /** Progress alone is told no more often than this; a change of state at once. */
    private static final Duration PACE = Duration.ofMillis(50);

    /** How long a quiet stream goes without looking whether the client is still there. */
    private static final Duration LOOK = Duration.ofMillis(250);

    private final Vmm vmm;
    private final Births births;
    private final TrustDomainMapper mapper;
    private final Drain drain;
    private final AtomicInteger open = new AtomicInteger();

    Watches(Vmm vmm, Births births, TrustDomainMapper mapper, Drain drain) {
        this.vmm = vmm;
        this.births = births;
        this.mapper = mapper;
        this.drain = drain;
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

    /** What a client of {@link #all} has been told of one trust domain. */
    private record Told(TrustDomain td, Birth birth, TdSnapshot snapshot) {}

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
    void all(StreamObserver<WatchTrustDomainsResponse> out) {
        Outlet<WatchTrustDomainsResponse> outlet = enter(out);
        try {
            Map<String, Told> told = new HashMap<>();
            while (outlet.isOpen()) {
                Map<String, TrustDomain> present = new HashMap<>();
                vmm.list().forEach(td -> present.put(td.id(), td));
                tellGone(told, present, outlet);
                tellChanged(told, present, outlet);
                outlet.rest(PACE);
            }
            outlet.complete();
        } finally {
            open.decrementAndGet();
        }
    }

    private void tellGone(
            Map<String, Told> told,
            Map<String, TrustDomain> present,
            Outlet<WatchTrustDomainsResponse> outlet) {
        for (Iterator<Told> each = told.values().iterator(); each.hasNext(); ) {
            Told old = each.next();
            if (!isSame(present.get(old.td().id()), old.td()) && outlet.awaitRoom()) {
                each.remove();
                outlet.send(
                        WatchTrustDomainsResponse.newBuilder()
                                .setTrustDomain(
                                        mapper.toProto(old.td(), old.snapshot(), old.birth()))
                                .setDeleted(true)
                                .build());
            }
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

    private void tellChanged(
            Map<String, Told> told,
            Map<String, TrustDomain> present,
            Outlet<WatchTrustDomainsResponse> outlet) {
        for (TrustDomain td : present.values()) {
            Told before = told.get(td.id());
            TdSnapshot now = td.snapshot();
            if ((before == null || before.snapshot().revision() != now.revision())
                    && outlet.awaitRoom()) {
                Birth birth = before == null ? births.of(td.id()) : before.birth();
                told.put(td.id(), new Told(td, birth, now));
                outlet.send(
                        WatchTrustDomainsResponse.newBuilder()
                                .setTrustDomain(mapper.toProto(td, now, birth))
                                .build());
            }
        }
    }

    private void count() {
        if (open.incrementAndGet() > MAX) {
            open.decrementAndGet();
            throw Rejection.exhausted(
                    "TOO_MANY_WATCHES",
                    "watches",
                    MAX + " watches are open: close one and try again");
        }
    }

    private <A> Outlet<A> enter(StreamObserver<A> out) {
        count();
        return new Outlet<>((ServerCallStreamObserver<A>) out, drain::hasBegun);
    }
}
