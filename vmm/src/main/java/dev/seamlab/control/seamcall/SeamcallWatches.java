// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.seamcall;

import dev.seamlab.control.call.Drain;
import dev.seamlab.control.call.Limits;
import dev.seamlab.control.call.Outlet;
import dev.seamlab.control.call.Rejection;
import dev.seamlab.machine.sched.Waits;
import dev.seamlab.v1.WatchSeamcallsRequest;
import dev.seamlab.v1.WatchSeamcallsResponse;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import jakarta.inject.Singleton;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Live logs of SEAMCALLs. Each lives on the thread of its call and holds one ring and one message
 * at most: a client that reads slowly misses calls, and learns how many.
 */
@Singleton
final class SeamcallWatches {
    /** Calls in one message. */
    private static final int BATCH = 128;

    /** How long an empty log rests before it looks again. */
    private static final Duration LOOK = Duration.ofMillis(10);

    private final AtomicInteger open = new AtomicInteger();
    private final Drain drain;
    private final int max;

    SeamcallWatches(Drain drain, Limits limits) {
        this.drain = drain;
        this.max = limits.seamcallWatches();
    }

    /** Follows the SEAMCALLs of a machine until the client, the machine or the server goes. */
    void follow(
            RawTarget target,
            WatchSeamcallsRequest request,
            StreamObserver<WatchSeamcallsResponse> out) {
        SeamcallRing ring = new SeamcallRing(SeamcallFilter.of(request));
        if (open.incrementAndGet() > max) {
            open.decrementAndGet();
            throw Rejection.exhausted(
                    "TOO_MANY_WATCHES",
                    "seamcallLogs",
                    max + " SEAMCALL logs are open: close one and try again");
        }
        Outlet<WatchSeamcallsResponse> outlet =
                new Outlet<>(
                        (ServerCallStreamObserver<WatchSeamcallsResponse>) out,
                        () -> drain.hasBegun() || target.tap().ended());
        target.tap().add(ring);
        try {
            outlet.send(WatchSeamcallsResponse.getDefaultInstance());
            pump(ring, outlet);
            outlet.complete();
        } finally {
            target.tap().remove(ring);
            open.decrementAndGet();
        }
    }

    private static void pump(SeamcallRing ring, Outlet<WatchSeamcallsResponse> outlet) {
        Instant wall = Instant.now();
        long start = Waits.nanoTime();
        long told = 0;
        while (outlet.awaitRoom()) {
            WatchSeamcallsResponse.Builder message = WatchSeamcallsResponse.newBuilder();
            while (message.getCallsCount() < BATCH
                    && ring.poll((cpu, input, output, began, ended) ->
                            message.addCalls(
                                    SeamcallMapper.record(
                                            cpu,
                                            input,
                                            output,
                                            wall.plusNanos(ended - start),
                                            ended - began)))) {}
            long dropped = ring.dropped();
            if (message.getCallsCount() > 0 || dropped > told) {
                outlet.send(message.setDroppedCount(dropped).build());
                told = dropped;
            } else {
                outlet.rest(LOOK);
            }
        }
    }
}
