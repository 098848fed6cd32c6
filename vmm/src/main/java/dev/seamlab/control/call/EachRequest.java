// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.call;

import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.util.function.Function;

/**
 * Answers the requests of a stream one after the other. It takes the next request only when the
 * client has read what it was sent, so neither side can fill the server's memory. The first request
 * that fails ends the stream.
 *
 * <p>The gRPC library calls one method at a time.
 */
final class EachRequest<Q, A> implements StreamObserver<Q> {
    private final ServerCallStreamObserver<A> out;
    private final Function<Q, A> work;
    private final ErrorMapper errors;
    private final Runnable end;
    private boolean over;
    private boolean waiting;

    EachRequest(
            ServerCallStreamObserver<A> out,
            Function<Q, A> work,
            ErrorMapper errors,
            Runnable end) {
        this.out = out;
        this.work = work;
        this.errors = errors;
        this.end = end;
        out.disableAutoRequest();
        out.setOnReadyHandler(this::takeNextIfWaiting);
        out.request(1);
    }

    @Override
    public void onNext(Q request) {
        if (over) {
            return;
        }
        A answer;
        try {
            answer = work.apply(request);
        } catch (RuntimeException e) {
            finish();
            out.onError(errors.toException(e));
            return;
        }
        out.onNext(answer);
        waiting = true;
        takeNextIfWaiting();
    }

    private void takeNextIfWaiting() {
        if (waiting && out.isReady()) {
            waiting = false;
            out.request(1);
        }
    }

    @Override
    public void onError(Throwable e) {
        finish(); // the client hung up; there is nobody to tell
    }

    @Override
    public void onCompleted() {
        if (!over) {
            finish();
            out.onCompleted();
        }
    }

    private void finish() {
        if (!over) {
            over = true;
            end.run();
        }
    }
}
