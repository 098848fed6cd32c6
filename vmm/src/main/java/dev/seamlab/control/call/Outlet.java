// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.call;

import io.grpc.Context;
import io.grpc.stub.ServerCallStreamObserver;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/**
 * The sending end of a stream, used by one thread. Knows when the client has hung up, its deadline
 * has passed, or it has not read what it was sent.
 */
public final class Outlet<A> {
    /** How often a full stream looks for room. */
    private static final Duration FULL = Duration.ofMillis(5);

    private final ServerCallStreamObserver<A> out;
    private final BooleanSupplier closing;
    private final Context context = Context.current();
    private final CountDownLatch gone = new CountDownLatch(1);

    public Outlet(ServerCallStreamObserver<A> out, BooleanSupplier closing) {
        this.out = out;
        this.closing = closing;
        context.addListener(cancelled -> gone.countDown(), Runnable::run);
    }

    public boolean isOpen() {
        return gone.getCount() > 0 && !out.isCancelled() && !closing.getAsBoolean();
    }

    /** Waits until the client has read enough; false where it went away instead. */
    public boolean awaitRoom() {
        while (isOpen() && !out.isReady()) {
            rest(FULL);
        }
        return isOpen();
    }

    public void send(A message) {
        if (isOpen()) {
            out.onNext(message);
        }
    }

    /** Does nothing for a while; less where the client goes away. */
    public void rest(Duration time) {
        try {
            boolean left = gone.await(time.toMillis(), TimeUnit.MILLISECONDS);
            assert !left || !isOpen();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            gone.countDown();
        }
    }

    /** Ends the stream, in good order where the client is still there. */
    public void complete() {
        if (!out.isCancelled()) {
            out.onCompleted();
        }
    }
}
