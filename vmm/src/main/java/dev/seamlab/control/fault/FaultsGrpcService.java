// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.fault;

import com.google.protobuf.Empty;
import dev.seamlab.control.call.Calls;
import dev.seamlab.control.call.PageToken;
import dev.seamlab.control.fault.FaultStore.Stored;
import dev.seamlab.control.operation.RequestIds;
import dev.seamlab.v1.CreateFaultRequest;
import dev.seamlab.v1.DeleteFaultRequest;
import dev.seamlab.v1.Fault;
import dev.seamlab.v1.FaultsGrpc;
import dev.seamlab.v1.GetFaultRequest;
import dev.seamlab.v1.ListAllocationSitesRequest;
import dev.seamlab.v1.ListAllocationSitesResponse;
import dev.seamlab.v1.ListFaultsRequest;
import dev.seamlab.v1.ListFaultsResponse;
import dev.seamlab.vmm.Vmm;
import dev.seamlab.vmm.fault.FaultRule;
import io.grpc.stub.StreamObserver;
import io.quarkus.grpc.GrpcService;
import io.smallrye.common.annotation.RunOnVirtualThread;
import java.util.List;

/** Faults on purpose, over gRPC. */
@GrpcService
@RunOnVirtualThread
public class FaultsGrpcService extends FaultsGrpc.FaultsImplBase {
    private static final int DEFAULT_PAGE = 100;
    private static final PageToken TOKENS = PageToken.of("ListFaults");

    private final Calls calls;
    private final Vmm vmm;
    private final FaultStore faults;
    private final RequestIds requestIds;

    FaultsGrpcService(Calls calls, Vmm vmm, FaultStore faults, RequestIds requestIds) {
        this.calls = calls;
        this.vmm = vmm;
        this.faults = faults;
        this.requestIds = requestIds;
    }

    @Override
    public void createFault(CreateFaultRequest request, StreamObserver<Fault> out) {
        calls.unary(request, out, this::create);
    }

    @Override
    public void getFault(GetFaultRequest request, StreamObserver<Fault> out) {
        calls.unary(request, out, r -> faults.find(r.getName()).toProto());
    }

    @Override
    public void listFaults(ListFaultsRequest request, StreamObserver<ListFaultsResponse> out) {
        calls.unary(request, out, this::list);
    }

    @Override
    public void deleteFault(DeleteFaultRequest request, StreamObserver<Empty> out) {
        calls.unary(
                request,
                out,
                r -> {
                    faults.delete(r.getName());
                    return Empty.getDefaultInstance();
                });
    }

    @Override
    public void listAllocationSites(
            ListAllocationSitesRequest request, StreamObserver<ListAllocationSitesResponse> out) {
        calls.unary(request, out, r -> FaultMapper.sites());
    }

    private Fault create(CreateFaultRequest request) {
        FaultRule rule = FaultMapper.toRule(request.getFault(), vmm.host().cpus().all().size());
        Fault asked = FaultMapper.normal(request.getFault(), rule);
        if (request.getValidateOnly()) {
            String name = FaultStore.name(request.getFaultId());
            faults.check(name);
            return asked.toBuilder().setName(name).build();
        }
        return requestIds
                .once(
                        request.getRequestId(),
                        request,
                        Stored.class,
                        () -> faults.arm(FaultStore.name(request.getFaultId()), asked, rule))
                .toProto();
    }

    private ListFaultsResponse list(ListFaultsRequest request) {
        String after = TOKENS.read(request.getPageToken(), "");
        int size = request.getPageSize() == 0 ? DEFAULT_PAGE : request.getPageSize();
        List<Stored> found =
                faults.all().stream()
                        .filter(stored -> stored.name().compareTo(after) > 0)
                        .limit(size + 1L)
                        .toList();
        ListFaultsResponse.Builder response = ListFaultsResponse.newBuilder();
        found.stream().limit(size).forEach(stored -> response.addFaults(stored.toProto()));
        if (found.size() > size) {
            response.setNextPageToken(TOKENS.write(found.get(size - 1).name(), ""));
        }
        return response.build();
    }
}
