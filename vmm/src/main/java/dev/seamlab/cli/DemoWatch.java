// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import dev.seamlab.v1.TrustDomain;
import dev.seamlab.v1.TrustDomain.State;
import dev.seamlab.v1.WatchTrustDomainRequest;
import dev.seamlab.v1.WatchTrustDomainResponse;
import io.grpc.Context;
import io.grpc.stub.StreamObserver;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/** Watches the trust domains of the demo, one stream each, until their guests are done. */
final class DemoWatch implements AutoCloseable {
    /** A guest that takes longer than this hangs. */
    private static final long PATIENCE_SECONDS = 120;

    private final Context.CancellableContext calls = Context.current().withCancellation();
    private final CountDownLatch running;
    private final AtomicReference<@Nullable Throwable> broken = new AtomicReference<>();

    DemoWatch(Client client, List<TrustDomain> all, DemoBoard board) {
        running = new CountDownLatch(all.size());
        for (int i = 0; i < all.size(); i++) {
            int row = i;
            String name = all.get(i).getName();
            calls.run(() ->
                    client.async()
                            .watchTrustDomain(
                                    WatchTrustDomainRequest.newBuilder().setName(name).build(),
                                    new Row(row, board)));
        }
    }

    void untilDone() {
        try {
            if (!running.await(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
                throw new CommandFailure(
                        ExitCodes.CHECK_FAILED,
                        "a guest did not come to its end within " + PATIENCE_SECONDS + " s");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        Throwable problem = broken.get();
        if (problem != null) {
            throw Failures.of(problem);
        }
    }

    @Override
    public void close() {
        calls.cancel(null);
    }

    /** One line of the board; called by one thread at a time. */
    private final class Row implements StreamObserver<WatchTrustDomainResponse> {
        private final int row;
        private final DemoBoard board;
        private boolean done;

        Row(int row, DemoBoard board) {
            this.row = row;
            this.board = board;
        }

        @Override
        public void onNext(WatchTrustDomainResponse change) {
            TrustDomain td = change.getTrustDomain();
            boolean over =
                    td.getState() == State.STOPPED
                            || td.getState() == State.FAILED
                            || td.getProgress().getFinishedVcpus() == td.getVcpuCount();
            if (!done) {
                board.show(row, td, over);
                if (over) {
                    finish();
                }
            }
        }

        @Override
        public void onError(Throwable e) {
            if (!done) {
                broken.compareAndSet(null, e);
                finish();
            }
        }

        @Override
        public void onCompleted() {
            if (!done) {
                finish();
            }
        }

        private void finish() {
            done = true;
            running.countDown();
        }
    }
}
