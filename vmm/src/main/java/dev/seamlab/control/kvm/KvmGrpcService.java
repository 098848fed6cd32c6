// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.kvm;

import com.google.protobuf.Empty;
import com.google.rpc.Code;
import dev.seamlab.control.call.Calls;
import dev.seamlab.control.call.ErrorMapper;
import dev.seamlab.control.call.PageToken;
import dev.seamlab.control.call.Places;
import dev.seamlab.control.call.Rejection;
import dev.seamlab.control.vcpu.VcpuMapper;
import dev.seamlab.guest.Workload;
import dev.seamlab.v1.CreateVcpuRequest;
import dev.seamlab.v1.CreateVmRequest;
import dev.seamlab.v1.DeleteVmRequest;
import dev.seamlab.v1.FinalizeVmRequest;
import dev.seamlab.v1.GetTdxCapabilitiesRequest;
import dev.seamlab.v1.GetTdxCpuidRequest;
import dev.seamlab.v1.GetVmRequest;
import dev.seamlab.v1.InitMemRegionRequest;
import dev.seamlab.v1.InitMemRegionResponse;
import dev.seamlab.v1.InitVcpuRequest;
import dev.seamlab.v1.InitVmRequest;
import dev.seamlab.v1.KvmGrpc;
import dev.seamlab.v1.KvmVcpu;
import dev.seamlab.v1.ListVmsRequest;
import dev.seamlab.v1.ListVmsResponse;
import dev.seamlab.v1.MemoryAttribute;
import dev.seamlab.v1.PreFaultVcpuMemoryRequest;
import dev.seamlab.v1.PreFaultVcpuMemoryResponse;
import dev.seamlab.v1.RunKvmVcpuRequest;
import dev.seamlab.v1.RunKvmVcpuResponse;
import dev.seamlab.v1.SetMemoryAttributesRequest;
import dev.seamlab.v1.SetMemoryRegionRequest;
import dev.seamlab.v1.TdxCapabilities;
import dev.seamlab.v1.TdxCpuid;
import dev.seamlab.v1.TerminateVmRequest;
import dev.seamlab.v1.Vm;
import dev.seamlab.vmm.Outcome;
import dev.seamlab.vmm.Vmm;
import dev.seamlab.vmm.step.Signal;
import dev.seamlab.vmm.step.StepVm;
import dev.seamlab.vmm.step.StepVmView.Progress;
import dev.seamlab.vmm.step.StepVmView.Region;
import io.grpc.Context;
import io.grpc.stub.StreamObserver;
import io.quarkus.grpc.GrpcService;
import io.smallrye.common.annotation.RunOnVirtualThread;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** KVM, ioctl by ioctl, over gRPC. */
@GrpcService
@RunOnVirtualThread
public class KvmGrpcService extends KvmGrpc.KvmImplBase {
    private static final int DEFAULT_PAGE = 100;
    private static final PageToken TOKENS = PageToken.of("ListVms");

    /** Room for more CPUID entries than there can be. */
    private static final int ENOUGH = 256;

    private final Calls calls;
    private final Vmm vmm;
    private final ErrorMapper errors;
    private final Places places;

    KvmGrpcService(Calls calls, Vmm vmm, ErrorMapper errors, Places places) {
        this.calls = calls;
        this.vmm = vmm;
        this.errors = errors;
        this.places = places;
    }

    @Override
    public void createVm(CreateVmRequest request, StreamObserver<Vm> out) {
        calls.unary(request, out, this::create);
    }

    @Override
    public void getVm(GetVmRequest request, StreamObserver<Vm> out) {
        calls.unary(request, out, r -> VmMapper.toProto(find(r.getName()).view()));
    }

    @Override
    public void listVms(ListVmsRequest request, StreamObserver<ListVmsResponse> out) {
        calls.unary(request, out, this::list);
    }

    @Override
    public void deleteVm(DeleteVmRequest request, StreamObserver<Empty> out) {
        calls.unary(
                request,
                out,
                r -> {
                    var _ = errors.granted(vmm.stepwise().delete(VmMapper.id(r.getName())));
                    return Empty.getDefaultInstance();
                });
    }

    @Override
    public void getTdxCapabilities(
            GetTdxCapabilitiesRequest request, StreamObserver<TdxCapabilities> out) {
        calls.unary(
                request,
                out,
                r ->
                        VmMapper.capabilities(
                                errors.granted(
                                        find(r.getName())
                                                .capabilities(
                                                        r.hasCpuidEntries()
                                                                ? r.getCpuidEntries()
                                                                : ENOUGH))));
    }

    @Override
    public void setMemoryRegion(SetMemoryRegionRequest request, StreamObserver<Vm> out) {
        calls.unary(
                request,
                out,
                r -> {
                    StepVm vm = find(r.getName());
                    Region region =
                            new Region(
                                    r.getMemoryRegion().getSlot(),
                                    r.getMemoryRegion().getGpa(),
                                    r.getMemoryRegion().getSizeBytes());
                    return changed(
                            region.size() == 0
                                    ? vm.setMemoryRegion(region)
                                    : places.memory(
                                            region.size(), () -> vm.setMemoryRegion(region)));
                });
    }

    @Override
    public void setMemoryAttributes(SetMemoryAttributesRequest request, StreamObserver<Vm> out) {
        calls.unary(
                request,
                out,
                r ->
                        changed(
                                find(r.getName())
                                        .setMemoryAttributes(
                                                r.getGpa(),
                                                r.getSizeBytes(),
                                                r.getAttribute()
                                                        == MemoryAttribute
                                                                .MEMORY_ATTRIBUTE_PRIVATE)));
    }

    @Override
    public void initVm(InitVmRequest request, StreamObserver<Vm> out) {
        calls.unary(request, out, r -> changed(find(r.getName()).initVm(VmMapper.init(r))));
    }

    @Override
    public void createVcpu(CreateVcpuRequest request, StreamObserver<KvmVcpu> out) {
        calls.unary(
                request,
                out,
                r -> {
                    StepVm vm = find(r.getName());
                    return VmMapper.vcpu(errors.granted(places.vcpu(vm::createVcpu)));
                });
    }

    @Override
    public void initVcpu(InitVcpuRequest request, StreamObserver<KvmVcpu> out) {
        calls.unary(
                request,
                out,
                r ->
                        VmMapper.vcpu(
                                errors.granted(
                                        find(r.getName())
                                                .initVcpu(r.getVcpu(), r.getInitialRcx()))));
    }

    @Override
    public void initMemRegion(
            InitMemRegionRequest request, StreamObserver<InitMemRegionResponse> out) {
        calls.unary(request, out, this::initMemRegion);
    }

    @Override
    public void finalizeVm(FinalizeVmRequest request, StreamObserver<Vm> out) {
        calls.unary(request, out, r -> changed(find(r.getName()).finalizeVm()));
    }

    @Override
    public void getTdxCpuid(GetTdxCpuidRequest request, StreamObserver<TdxCpuid> out) {
        calls.unary(
                request,
                out,
                r ->
                        TdxCpuid.newBuilder()
                                .addAllEntries(
                                        errors
                                                .granted(
                                                        find(r.getName())
                                                                .cpuid(
                                                                        r.getVcpu(),
                                                                        r.hasCpuidEntries()
                                                                                ? r
                                                                                        .getCpuidEntries()
                                                                                : ENOUGH))
                                                .stream()
                                                .map(VmMapper::cpuid)
                                                .toList())
                                .build());
    }

    @Override
    public void terminateVm(TerminateVmRequest request, StreamObserver<Vm> out) {
        calls.unary(request, out, r -> changed(find(r.getName()).terminate()));
    }

    @Override
    public void preFaultVcpuMemory(
            PreFaultVcpuMemoryRequest request, StreamObserver<PreFaultVcpuMemoryResponse> out) {
        calls.unary(request, out, this::preFault);
    }

    @Override
    public void runKvmVcpu(RunKvmVcpuRequest request, StreamObserver<RunKvmVcpuResponse> out) {
        calls.unary(request, out, this::run);
    }

    private Vm create(CreateVmRequest request) {
        String id =
                request.getVmId().isEmpty()
                        ? String.format("vm-%08x", ThreadLocalRandom.current().nextInt())
                        : request.getVmId();
        boolean isTdx = request.getVm().getType() != Vm.Type.ORDINARY;
        return changed(places.vm(id, () -> vmm.stepwise().create(id, isTdx)));
    }

    private ListVmsResponse list(ListVmsRequest request) {
        String after = TOKENS.read(request.getPageToken(), "");
        int size = request.getPageSize() == 0 ? DEFAULT_PAGE : request.getPageSize();
        List<StepVm> found =
                vmm.stepwise().list().stream()
                        .filter(vm -> vm.id().compareTo(after) > 0)
                        .limit(size + 1L)
                        .toList();
        ListVmsResponse.Builder response = ListVmsResponse.newBuilder();
        found.stream().limit(size).forEach(vm -> response.addVms(VmMapper.toProto(vm.view())));
        if (found.size() > size) {
            response.setNextPageToken(TOKENS.write(found.get(size - 1).id(), ""));
        }
        return response.build();
    }

    private InitMemRegionResponse initMemRegion(InitMemRegionRequest request) {
        StepVm vm = find(request.getName());
        Progress progress =
                errors.granted(
                        signalled(signal ->
                                vm.initMemRegion(
                                        request.getVcpu(),
                                        request.getGpa(),
                                        request.getSource().toByteArray(),
                                        request.getPageCount(),
                                        request.getMeasure(),
                                        signal)));
        return InitMemRegionResponse.newBuilder()
                .setGpa(progress.gpa())
                .setPagesLeft(progress.left())
                .build();
    }

    private PreFaultVcpuMemoryResponse preFault(PreFaultVcpuMemoryRequest request) {
        StepVm vm = find(request.getName());
        Progress progress =
                errors.granted(
                        signalled(signal ->
                                vm.preFault(
                                        request.getVcpu(),
                                        request.getGpa(),
                                        request.getSizeBytes(),
                                        signal)));
        return PreFaultVcpuMemoryResponse.newBuilder()
                .setGpa(progress.gpa())
                .setBytesLeft(progress.left())
                .build();
    }

    private RunKvmVcpuResponse run(RunKvmVcpuRequest request) {
        StepVm vm = find(request.getName());
        @Nullable Workload piece =
                request.getText().isEmpty() ? null : VcpuMapper.parse(request.getText());
        return RunKvmVcpuResponse.newBuilder()
                .setExit(
                        VcpuMapper.exit(
                                errors.granted(
                                        signalled(signal ->
                                                vm.run(request.getVcpu(), piece, signal)))))
                .build();
    }

    /** A call that the end of the caller, or of its patience, gets out. */
    private static <T> Outcome<T> signalled(Function<Signal, Outcome<T>> call) {
        Signal signal = new Signal();
        Context context = Context.current();
        Context.CancellationListener gone = ended -> signal.send();
        context.addListener(gone, Runnable::run);
        try {
            Outcome<T> outcome = call.apply(signal);
            if (context.isCancelled()) {
                throw Rejection.of(Code.CANCELLED, "CALL_ENDED", "the caller left", Map.of());
            }
            return outcome;
        } finally {
            context.removeListener(gone);
        }
    }

    private Vm changed(Outcome<StepVm> outcome) {
        return VmMapper.toProto(errors.granted(outcome).view());
    }

    private StepVm find(String name) {
        return errors.granted(vmm.stepwise().get(VmMapper.id(name)));
    }
}
