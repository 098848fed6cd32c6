// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.access;

import dev.seamlab.control.call.Refused;
import dev.seamlab.control.call.Rejection;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.quarkus.grpc.GlobalInterceptor;
import jakarta.enterprise.inject.spi.Prioritized;
import jakarta.inject.Singleton;

/** Stands before every method of every service, and lets in who may. */
@Singleton
@GlobalInterceptor
final class AccessInterceptor implements ServerInterceptor, Prioritized {
    private static final Metadata.Key<String> AUTHORIZATION =
            Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);

    private final Access access;

    AccessInterceptor(Access access) {
        this.access = access;
    }

    @Override
    public <Q, A> ServerCall.Listener<Q> interceptCall(
            ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
        try {
            access.admit(
                    call.getMethodDescriptor().getFullMethodName(), headers.get(AUTHORIZATION));
        } catch (Rejection no) {
            return Refused.close(call, no);
        }
        return next.startCall(call, headers);
    }

    /** Before {@link dev.seamlab.control.call.Intake}: strangers take no places. */
    @Override
    public int getPriority() {
        return 2000;
    }
}
