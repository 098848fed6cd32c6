// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.call;

import io.grpc.ServerCall;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;

/** What becomes of a call that no service gets to see. */
public final class Refused {
    private Refused() {}

    /** Answers the call with a rejection; the listener takes no notice of what still comes. */
    public static <Q> ServerCall.Listener<Q> close(ServerCall<Q, ?> call, Rejection why) {
        StatusRuntimeException answer = StatusProto.toStatusRuntimeException(why.status());
        call.close(answer.getStatus(), answer.getTrailers());
        return new ServerCall.Listener<>() {};
    }
}
