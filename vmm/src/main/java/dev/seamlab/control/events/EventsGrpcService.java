// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.events;

import dev.seamlab.control.call.Calls;
import dev.seamlab.v1.EventsGrpc;
import dev.seamlab.v1.ListEventsRequest;
import dev.seamlab.v1.ListEventsResponse;
import dev.seamlab.v1.WatchEventsRequest;
import dev.seamlab.v1.WatchEventsResponse;
import io.grpc.stub.StreamObserver;
import io.quarkus.grpc.GrpcService;
import io.smallrye.common.annotation.RunOnVirtualThread;

/** What happens on the host, over gRPC. */
@GrpcService
@RunOnVirtualThread
public class EventsGrpcService extends EventsGrpc.EventsImplBase {
    private final Calls calls;
    private final EventLog log;
    private final EventWatches watches;

    EventsGrpcService(Calls calls, EventLog log, EventWatches watches) {
        this.calls = calls;
        this.log = log;
        this.watches = watches;
    }

    @Override
    public void watchEvents(WatchEventsRequest request, StreamObserver<WatchEventsResponse> out) {
        calls.streaming(request, out, r -> watches.follow(r, out));
    }

    @Override
    public void listEvents(ListEventsRequest request, StreamObserver<ListEventsResponse> out) {
        calls.unary(request, out, r -> EventPages.page(log, r));
    }
}
