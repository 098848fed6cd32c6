// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.call;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.longrunning.OperationsGrpc;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import dev.seamlab.control.contract.Api;
import dev.seamlab.control.contract.Rpc;
import dev.seamlab.v1.HostGrpc;
import dev.seamlab.v1.TrustDomainsGrpc;
import io.grpc.Attributes;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.ServerCall;
import io.grpc.Status;
import io.grpc.protobuf.StatusProto;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class IntakeTest {
    private final Drain drain = new Drain();
    private final Intake intake = new Intake(2, drain);
    private final List<ServerCall.Listener<?>> answering = new ArrayList<>();

    @Test
    void callsBeyondTheLimit_areRefusedAtOnceWithATimeToTryAgain() {
        offer(HostGrpc.getGetHostMethod());
        offer(HostGrpc.getGetHostMethod());
        Call<?> third = offer(HostGrpc.getGetHostMethod());
        assertThat(third.closed.getCode()).isEqualTo(Status.Code.RESOURCE_EXHAUSTED);
        assertThat(StatusProto.fromStatusAndTrailers(third.closed, third.trailers).getDetailsList())
                .anyMatch(detail -> detail.is(RetryInfo.class));
        assertThat(intake.taken()).isEqualTo(2);
    }

    @Test
    void aCallThatEnds_givesItsPlaceBackOnce_howeverItEnds() {
        offer(HostGrpc.getGetHostMethod());
        offer(HostGrpc.getGetHostMethod());
        answering.get(0).onCancel();
        answering.get(0).onComplete();
        answering.get(1).onComplete();
        assertThat(intake.taken()).isZero();
        assertThat(offer(HostGrpc.getGetHostMethod()).closed).isNull();
    }

    @Test
    void aCallThatDoesNotStart_givesItsPlaceBack() {
        Call<Object> call = new Call<>(cast(HostGrpc.getGetHostMethod()));
        org.assertj.core.api.Assertions.assertThatThrownBy(() ->
                        intake.interceptCall(
                                call,
                                new Metadata(),
                                (c, h) -> {
                                    throw new IllegalStateException("no");
                                }))
                .isInstanceOf(IllegalStateException.class);
        assertThat(intake.taken()).isZero();
    }

    @Test
    void streams_takeNoPlace() {
        for (int i = 0; i < 10; i++) {
            assertThat(offer(TrustDomainsGrpc.getWatchTrustDomainMethod()).closed).isNull();
        }
        assertThat(intake.taken()).isZero();
    }

    @Test
    void onTheWayOut_nothingNewIsTakenInButOperationsAnswer() {
        drain.begin();
        assertThat(offer(HostGrpc.getGetHostMethod()).closed.getCode())
                .isEqualTo(Status.Code.UNAVAILABLE);
        assertThat(offer(TrustDomainsGrpc.getWatchTrustDomainMethod()).closed.getCode())
                .isEqualTo(Status.Code.UNAVAILABLE);
        assertThat(offer(OperationsGrpc.getGetOperationMethod()).closed).isNull();
    }

    @Test
    void onTheWayOut_everyMethodIsRefusedWithATimeToTryAgain_butTheWatchingOfOperations()
            throws InvalidProtocolBufferException {
        drain.begin();
        for (Rpc rpc : Api.all()) {
            Call<Object> call = offer(rpc.method());
            if (rpc.name().startsWith("Operations/")) {
                assertThat(call.closed).as(rpc.name()).isNull();
                answering.getLast().onComplete();
                continue;
            }
            assertThat(call.closed.getCode()).as(rpc.name()).isEqualTo(Status.Code.UNAVAILABLE);
            com.google.rpc.Status status =
                    StatusProto.fromStatusAndTrailers(call.closed, call.trailers);
            assertThat(status.getDetails(0).unpack(ErrorInfo.class).getReason())
                    .isEqualTo("SHUTTING_DOWN");
            assertThat(status.getDetails(1).is(RetryInfo.class)).isTrue();
        }
    }

    private Call<Object> offer(MethodDescriptor<?, ?> method) {
        Call<Object> call = new Call<>(cast(method));
        answering.add(
                intake.interceptCall(
                        call, new Metadata(), (c, h) -> new ServerCall.Listener<Object>() {}));
        return call;
    }

    @SuppressWarnings("unchecked") // Nothing is sent; only the name and kind count.
    private static MethodDescriptor<Object, Object> cast(MethodDescriptor<?, ?> method) {
        return (MethodDescriptor<Object, Object>) method;
    }

    /** A call that remembers how it was closed. */
    private static final class Call<Q> extends ServerCall<Q, Object> {
        private final MethodDescriptor<Q, Object> method;
        private Status closed;
        private Metadata trailers;

        Call(MethodDescriptor<Q, Object> method) {
            this.method = method;
        }

        @Override
        public void close(Status status, Metadata metadata) {
            closed = status;
            trailers = metadata;
        }

        @Override
        public void request(int messages) {}

        @Override
        public void sendHeaders(Metadata headers) {}

        @Override
        public void sendMessage(Object message) {}

        @Override
        public boolean isCancelled() {
            return false;
        }

        @Override
        public Attributes getAttributes() {
            return Attributes.EMPTY;
        }

        @Override
        public MethodDescriptor<Q, Object> getMethodDescriptor() {
            return method;
        }
    }
}
