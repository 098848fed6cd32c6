// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.host;

import dev.seamlab.control.call.Calls;
import dev.seamlab.v1.GetHostRequest;
import dev.seamlab.v1.GetMemoryReportRequest;
import dev.seamlab.v1.HostCpu;
import dev.seamlab.v1.HostGrpc;
import dev.seamlab.v1.HostInfo;
import dev.seamlab.v1.MemoryReport;
import dev.seamlab.v1.SetCpuOnlineRequest;
import io.grpc.stub.StreamObserver;
import io.quarkus.grpc.GrpcService;
import io.smallrye.common.annotation.RunOnVirtualThread;

/** The host below the trust domains, over gRPC. */
@GrpcService
@RunOnVirtualThread
public class HostGrpcService extends HostGrpc.HostImplBase {
    private final Calls calls;
    private final HostLifecycle host;

    HostGrpcService(Calls calls, HostLifecycle host) {
        this.calls = calls;
        this.host = host;
    }

    @Override
    public void getHost(GetHostRequest request, StreamObserver<HostInfo> out) {
        calls.unary(
                request,
                out,
                r ->
                        HostMapper.toProto(
                                host.vmm(), host.preset(), host.bootLog(), host.bootTime()));
    }

    @Override
    public void getMemoryReport(GetMemoryReportRequest request, StreamObserver<MemoryReport> out) {
        calls.unary(request, out, r -> MemoryMapper.memoryReport(host.vmm()));
    }

    @Override
    public void setCpuOnline(SetCpuOnlineRequest request, StreamObserver<HostCpu> out) {
        calls.unary(request, out, r -> host.setCpuOnline(r.getCpu(), r.getOnline()));
    }
}
