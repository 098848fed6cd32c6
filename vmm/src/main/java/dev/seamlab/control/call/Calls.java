// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.call;

import com.google.protobuf.Message;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import jakarta.inject.Singleton;
import java.util.function.Function;

/** The one way through every unary call: check the request, do the work, answer or say why not. */
@Singleton
public final class Calls {
    private final RequestValidator validator;
    private final ErrorMapper errors;

    Calls(RequestValidator validator, ErrorMapper errors) {
        this.validator = validator;
        this.errors = errors;
    }

    /** Answers a unary call with what the work returns. */
    public <Q extends Message, A> void unary(
            Q request, StreamObserver<A> out, Function<Q, A> work) {
        A answer;
        try {
            validator.check(request);
            answer = work.apply(request);
        } catch (RuntimeException e) {
            out.onError(errors.toException(e));
            return;
        }
        out.onNext(answer);
        out.onCompleted();
    }

    /**
     * Checks a message that a request leads to against the rules of its own fields; for updates,
     * whose resource need not be complete in the request.
     *
     * @param at field of the request that it stands for
     * @throws Rejection INVALID_ARGUMENT that names each bad field and how to mend it
     */
    public void checkResult(Message result, String at) {
        validator.check(result, at);
    }

    /** Answers each request of a stream, one after the other, in order. */
    public <Q extends Message, A> StreamObserver<Q> each(
            StreamObserver<A> out, Function<Q, A> work) {
        return each(out, work, () -> {});
    }

    /**
     * As {@link #each(StreamObserver, Function)}, for work that holds something.
     *
     * @param end runs once, when the stream is over, however it ended
     */
    public <Q extends Message, A> StreamObserver<Q> each(
            StreamObserver<A> out, Function<Q, A> work, Runnable end) {
        return new EachRequest<>(
                (ServerCallStreamObserver<A>) out,
                request -> {
                    validator.check(request);
                    return work.apply(request);
                },
                errors,
                end);
    }

    /** Begins a streaming call; whoever streams ends it. */
    public <Q extends Message, A> void streaming(
            Q request, StreamObserver<A> out, java.util.function.Consumer<Q> work) {
        try {
            validator.check(request);
            work.accept(request);
        } catch (RuntimeException e) {
            out.onError(errors.toException(e));
        }
    }
}
