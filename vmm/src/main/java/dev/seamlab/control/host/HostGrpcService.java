// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.host;

import dev.seamlab.control.call.Calls;
import dev.seamlab.v1.GetHostRequest;
import dev.seamlab.v1.GetMemoryReportRequest;
import dev.seamlab.v1.GetModuleInfoRequest;
import dev.seamlab.v1.HostCpu;
import dev.seamlab.v1.HostGrpc;
import dev.seamlab.v1.HostInfo;
import dev.seamlab.v1.ListCmrsRequest;
import dev.seamlab.v1.ListCmrsResponse;
import dev.seamlab.v1.ListCpusRequest;
import dev.seamlab.v1.ListCpusResponse;
import dev.seamlab.v1.ListKeyIdsRequest;
import dev.seamlab.v1.ListKeyIdsResponse;
import dev.seamlab.v1.ListTdmrsRequest;
import dev.seamlab.v1.ListTdmrsResponse;
import dev.seamlab.v1.MemoryReport;
import dev.seamlab.v1.ModuleInfo;
import dev.seamlab.v1.SetCpuOnlineRequest;
import dev.seamlab.v1.WatchHostRequest;
import dev.seamlab.v1.WatchHostResponse;
import io.grpc.stub.StreamObserver;
import io.quarkus.grpc.GrpcService;
import io.smallrye.common.annotation.RunOnVirtualThread;

/** The host below the trust domains, over gRPC. */
@GrpcService
@RunOnVirtualThread
public class HostGrpcService extends HostGrpc.HostImplBase {
    private final Calls calls;
    private final HostLifecycle host;
    private final HostWatches watches;

    HostGrpcService(Calls calls, HostLifecycle host, HostWatches watches) {
        this.calls = calls;
        this.host = host;
        this.watches = watches;
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

    @Override
    public void getModuleInfo(GetModuleInfoRequest request, StreamObserver<ModuleInfo> out) {
        calls.unary(request, out, r -> HardwareMapper.module(host.vmm().host()));
    }

    @Override
    public void listCmrs(ListCmrsRequest request, StreamObserver<ListCmrsResponse> out) {
        calls.unary(request, out, r -> HardwareMapper.cmrs(host.vmm()));
    }

    @Override
    public void listTdmrs(ListTdmrsRequest request, StreamObserver<ListTdmrsResponse> out) {
        calls.unary(request, out, r -> HardwareMapper.tdmrs(host.vmm().host()));
    }

    @Override
    public void listKeyIds(ListKeyIdsRequest request, StreamObserver<ListKeyIdsResponse> out) {
        calls.unary(request, out, r -> HardwareMapper.keyIds(host.vmm()));
    }

    @Override
    public void listCpus(ListCpusRequest request, StreamObserver<ListCpusResponse> out) {
        calls.unary(request, out, r -> HardwareMapper.cpus(host.vmm().host()));
    }

    @Override
    public void watchHost(WatchHostRequest request, StreamObserver<WatchHostResponse> out) {
        calls.streaming(request, out, r -> watches.follow(r, out));
    }
}
