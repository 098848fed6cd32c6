// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.call;

import com.google.rpc.Code;
import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.quarkus.grpc.GlobalInterceptor;
import jakarta.enterprise.inject.spi.Prioritized;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Takes calls in as long as there is room, and nothing new once the server is on its way out. Whom
 * it refuses hears so before any work is done, and when to try again.
 *
 * <p>Streams are not counted here: each kind has a limit of its own.
 */
@Singleton
@GlobalInterceptor
public final class Intake implements ServerInterceptor, Prioritized {
    private static final String HEALTH = "grpc.health.v1.Health";
    private static final String OPERATIONS = "google.longrunning.Operations";

    private final int places;
    private final Drain drain;
    private final AtomicInteger taken = new AtomicInteger();

    @Inject
    Intake(Limits limits, Drain drain) {
        this(limits.concurrentCalls(), drain);
    }

    Intake(int places, Drain drain) {
        this.places = places;
        this.drain = drain;
    }

    /** Unary calls that are being answered. */
    public int taken() {
        return taken.get();
    }

    @Override
    public <Q, A> ServerCall.Listener<Q> interceptCall(
            ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
        String service = String.valueOf(call.getMethodDescriptor().getServiceName());
        if (service.equals(HEALTH)) {
            return next.startCall(call, headers);
        }
        if (drain.hasBegun() && !service.equals(OPERATIONS)) {
            return Refused.close(call, shuttingDown());
        }
        if (call.getMethodDescriptor().getType() != MethodType.UNARY) {
            return next.startCall(call, headers);
        }
        if (taken.incrementAndGet() > places) {
            taken.decrementAndGet();
            return Refused.close(call, tooMany());
        }
        Place place = new Place();
        try {
            return new Freeing<>(next.startCall(call, headers), place);
        } catch (RuntimeException e) {
            place.free();
            throw e;
        }
    }

    private Rejection tooMany() {
        return Rejection.exhausted(
                "TOO_MANY_CALLS",
                "calls",
                places + " calls are being answered: try again a little later");
    }

    /** The answer to whoever comes too late. */
    static Rejection shuttingDown() {
        return Rejection.of(
                Code.UNAVAILABLE,
                "SHUTTING_DOWN",
                "the server is shutting down",
                Map.of(),
                Rejection.retryAfter(1));
    }

    /** After whoever decides who may call at all. */
    @Override
    public int getPriority() {
        return 1000;
    }

    /** One call's place, given back once. */
    private final class Place {
        private final AtomicBoolean free = new AtomicBoolean();

        void free() {
            if (free.compareAndSet(false, true)) {
                taken.decrementAndGet();
            }
        }
    }

    /** Gives the place back when the call is over, however it ends. */
    private static final class Freeing<Q> extends SimpleForwardingServerCallListener<Q> {
        private final Place place;

        Freeing(ServerCall.Listener<Q> listener, Place place) {
            super(listener);
            this.place = place;
        }

        @Override
        public void onComplete() {
            place.free();
            super.onComplete();
        }

        @Override
        public void onCancel() {
            place.free();
            super.onCancel();
        }
    }
}
