// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.call;

import com.google.protobuf.Message;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import jakarta.inject.Singleton;
import java.util.function.Function;
import org.jboss.logging.MDC;

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
            refuse(request, e, out);
            return;
        }
        out.onNext(answer);
        out.onCompleted();
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
            refuse(request, e, out);
        }
    }

    /** Whatever is logged about it names the trust domain that the request was for. */
    private void refuse(Message request, RuntimeException e, StreamObserver<?> out) {
        String td = TrustDomainName.in(request);
        if (!td.isEmpty()) {
            MDC.put("td", td);
        }
        try {
            out.onError(errors.toException(e));
        } finally {
            MDC.remove("td");
        }
    }
}
