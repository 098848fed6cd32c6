// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.pamt;

import dev.seamlab.control.call.Calls;
import dev.seamlab.v1.ComparePamtModesRequest;
import dev.seamlab.v1.GetPamtRegionRequest;
import dev.seamlab.v1.GetPamtStatsRequest;
import dev.seamlab.v1.ListPamtRegionsRequest;
import dev.seamlab.v1.ListPamtRegionsResponse;
import dev.seamlab.v1.PamtComparison;
import dev.seamlab.v1.PamtGrpc;
import dev.seamlab.v1.PamtRegion;
import dev.seamlab.v1.PamtStats;
import dev.seamlab.v1.WatchPamtStatsRequest;
import dev.seamlab.v1.WatchPamtStatsResponse;
import dev.seamlab.vmm.Vmm;
import io.grpc.stub.StreamObserver;
import io.quarkus.grpc.GrpcService;
import io.smallrye.common.annotation.RunOnVirtualThread;

/** PAMT, over gRPC. */
@GrpcService
@RunOnVirtualThread
public class PamtGrpcService extends PamtGrpc.PamtImplBase {
    private final Calls calls;
    private final Vmm vmm;
    private final PamtWatches watches;

    PamtGrpcService(Calls calls, Vmm vmm, PamtWatches watches) {
        this.calls = calls;
        this.vmm = vmm;
        this.watches = watches;
    }

    @Override
    public void getPamtStats(GetPamtStatsRequest request, StreamObserver<PamtStats> out) {
        calls.unary(request, out, r -> PamtMapper.stats(vmm));
    }

    @Override
    public void listPamtRegions(
            ListPamtRegionsRequest request, StreamObserver<ListPamtRegionsResponse> out) {
        calls.unary(request, out, r -> RegionPages.page(vmm.pamt(), r));
    }

    @Override
    public void getPamtRegion(GetPamtRegionRequest request, StreamObserver<PamtRegion> out) {
        calls.unary(request, out, r -> PamtMapper.toProto(vmm.pamt().region(r.getHpa())));
    }

    @Override
    public void watchPamtStats(
            WatchPamtStatsRequest request, StreamObserver<WatchPamtStatsResponse> out) {
        calls.streaming(request, out, r -> watches.follow(r, out));
    }

    @Override
    public void comparePamtModes(
            ComparePamtModesRequest request, StreamObserver<PamtComparison> out) {
        calls.unary(request, out, r -> PamtMapper.toProto(vmm.pamt().compare()));
    }
}
