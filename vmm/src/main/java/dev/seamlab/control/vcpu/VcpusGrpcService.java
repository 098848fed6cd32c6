// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.vcpu;

import dev.seamlab.control.call.Calls;
import dev.seamlab.control.call.ErrorMapper;
import dev.seamlab.control.call.PageToken;
import dev.seamlab.control.call.TrustDomainName;
import dev.seamlab.v1.ExecuteGuestProgramRequest;
import dev.seamlab.v1.ExecuteGuestProgramResponse;
import dev.seamlab.v1.GetVcpuRequest;
import dev.seamlab.v1.ListVcpusRequest;
import dev.seamlab.v1.ListVcpusResponse;
import dev.seamlab.v1.RunVcpuRequest;
import dev.seamlab.v1.RunVcpuResponse;
import dev.seamlab.v1.Vcpu;
import dev.seamlab.v1.VcpusGrpc;
import dev.seamlab.vmm.Refusal;
import dev.seamlab.vmm.VcpuSnapshot;
import dev.seamlab.vmm.Vmm;
import io.grpc.stub.StreamObserver;
import io.quarkus.grpc.GrpcService;
import io.smallrye.common.annotation.RunOnVirtualThread;
import java.util.List;
import java.util.OptionalLong;

/** vCPUs, over gRPC. */
@GrpcService
@RunOnVirtualThread
public class VcpusGrpcService extends VcpusGrpc.VcpusImplBase {
    private static final int DEFAULT_PAGE = 100;
    private static final PageToken TOKENS = PageToken.of("ListVcpus");

    private final Calls calls;
    private final Vmm vmm;
    private final ErrorMapper errors;

    VcpusGrpcService(Calls calls, Vmm vmm, ErrorMapper errors) {
        this.calls = calls;
        this.vmm = vmm;
        this.errors = errors;
    }

    @Override
    public void getVcpu(GetVcpuRequest request, StreamObserver<Vcpu> out) {
        calls.unary(request, out, r -> get(VcpuName.parse(r.getName())));
    }

    @Override
    public void listVcpus(ListVcpusRequest request, StreamObserver<ListVcpusResponse> out) {
        calls.unary(request, out, this::list);
    }

    @Override
    public void runVcpu(RunVcpuRequest request, StreamObserver<RunVcpuResponse> out) {
        calls.unary(request, out, this::run);
    }

    @Override
    public StreamObserver<ExecuteGuestProgramRequest> executeGuestProgram(
            StreamObserver<ExecuteGuestProgramResponse> out) {
        Driving driving = new Driving(vmm, errors);
        return calls.each(out, driving::execute, driving::close);
    }

    private Vcpu get(VcpuName name) {
        List<VcpuSnapshot> all = errors.granted(vmm.vcpus(name.trustDomain()));
        if (name.index() >= all.size()) {
            throw errors.rejection(new Refusal.NoVcpu(name.trustDomain(), name.index()));
        }
        return VcpuMapper.toProto(name.trustDomain(), all.get(name.index()));
    }

    private ListVcpusResponse list(ListVcpusRequest request) {
        String id = TrustDomainName.id(request.getParent());
        List<VcpuSnapshot> all = errors.granted(vmm.vcpus(id));
        int from = next(TOKENS.readNumber(request.getPageToken(), request.getParent()), all.size());
        int size = request.getPageSize() == 0 ? DEFAULT_PAGE : request.getPageSize();
        int to = Math.min(all.size(), from + size);
        ListVcpusResponse.Builder response = ListVcpusResponse.newBuilder();
        for (int i = from; i < to; i++) {
            response.addVcpus(VcpuMapper.toProto(id, all.get(i)));
        }
        if (to < all.size()) {
            response.setNextPageToken(TOKENS.write(to - 1L, request.getParent()));
        }
        return response.build();
    }

    private static int next(OptionalLong last, int count) {
        return last.isEmpty() ? 0 : (int) Math.min(count, last.getAsLong() + 1);
    }

    private RunVcpuResponse run(RunVcpuRequest request) {
        VcpuName name = VcpuName.parse(request.getName());
        RunVcpuResponse.Builder response = RunVcpuResponse.newBuilder();
        try (Driving driving = new Driving(vmm, errors)) {
            response.setExit(
                    VcpuMapper.exit(
                            driving.drive(name, vcpu -> vcpu.run(request.getServeConversions()))));
        }
        return response.setVcpu(get(name)).build();
    }
}
