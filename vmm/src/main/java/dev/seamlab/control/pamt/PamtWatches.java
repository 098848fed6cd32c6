// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.pamt;

import com.google.protobuf.util.Durations;
import dev.seamlab.control.call.Drain;
import dev.seamlab.control.call.Outlet;
import dev.seamlab.control.call.Rejection;
import dev.seamlab.v1.PamtStats;
import dev.seamlab.v1.WatchPamtStatsRequest;
import dev.seamlab.v1.WatchPamtStatsResponse;
import dev.seamlab.vmm.Vmm;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import jakarta.inject.Singleton;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;

/** Streams of figures. Each lives on the thread of its call and holds one message. */
@Singleton
final class PamtWatches {
    /** Streams at once; each counts the pairs again and again. */
    static final int MAX = 64;

    private static final Duration USUAL = Duration.ofSeconds(1);

    private final Vmm vmm;
    private final Drain drain;
    private final AtomicInteger open = new AtomicInteger();

    PamtWatches(Vmm vmm, Drain drain) {
        this.vmm = vmm;
        this.drain = drain;
    }

    /** Follows the figures until the client or the server goes. */
    void follow(WatchPamtStatsRequest request, StreamObserver<WatchPamtStatsResponse> out) {
        Duration interval =
                request.hasInterval()
                        ? Duration.ofNanos(Durations.toNanos(request.getInterval()))
                        : USUAL;
        if (open.incrementAndGet() > MAX) {
            open.decrementAndGet();
            throw Rejection.exhausted(
                    "TOO_MANY_WATCHES",
                    "pamtWatches",
                    MAX + " watches of PAMT are open: close one and try again");
        }
        try {
            Outlet<WatchPamtStatsResponse> outlet =
                    new Outlet<>(
                            (ServerCallStreamObserver<WatchPamtStatsResponse>) out,
                            drain::hasBegun);
            PamtStats told = PamtStats.getDefaultInstance();
            while (outlet.awaitRoom()) {
                PamtStats now = PamtMapper.stats(vmm);
                if (!now.equals(told)) {
                    outlet.send(WatchPamtStatsResponse.newBuilder().setStats(now).build());
                    told = now;
                }
                outlet.rest(interval);
            }
            outlet.complete();
        } finally {
            open.decrementAndGet();
        }
    }
}
