// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.kvm;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import com.google.rpc.QuotaFailure;
import com.google.rpc.RetryInfo;
import dev.seamlab.control.GrpcLab;
import dev.seamlab.v1.CpuidEntry;
import dev.seamlab.v1.CreateFaultRequest;
import dev.seamlab.v1.CreateVcpuRequest;
import dev.seamlab.v1.CreateVmRequest;
import dev.seamlab.v1.DeleteFaultRequest;
import dev.seamlab.v1.DeleteVmRequest;
import dev.seamlab.v1.Fault;
import dev.seamlab.v1.FaultsGrpc;
import dev.seamlab.v1.FinalizeVmRequest;
import dev.seamlab.v1.GetTdxCapabilitiesRequest;
import dev.seamlab.v1.GetTdxCpuidRequest;
import dev.seamlab.v1.GetVmRequest;
import dev.seamlab.v1.InitMemRegionRequest;
import dev.seamlab.v1.InitMemRegionResponse;
import dev.seamlab.v1.InitVcpuRequest;
import dev.seamlab.v1.InitVmRequest;
import dev.seamlab.v1.KvmGrpc;
import dev.seamlab.v1.ListVmsRequest;
import dev.seamlab.v1.ListVmsResponse;
import dev.seamlab.v1.MemoryAttribute;
import dev.seamlab.v1.MemoryRegion;
import dev.seamlab.v1.PreFaultVcpuMemoryRequest;
import dev.seamlab.v1.PreFaultVcpuMemoryResponse;
import dev.seamlab.v1.RunKvmVcpuRequest;
import dev.seamlab.v1.SetMemoryAttributesRequest;
import dev.seamlab.v1.SetMemoryRegionRequest;
import dev.seamlab.v1.TdxCapabilities;
import dev.seamlab.v1.TerminateVmRequest;
import dev.seamlab.v1.VcpuExit;
import dev.seamlab.v1.VcpuExit.Reason;
import dev.seamlab.v1.Vm;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.quarkus.test.junit.QuarkusTest;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** KVM's steps over real gRPC; each test leaves the host as it found it. */
@QuarkusTest
class KvmServiceTest {
    private static final long SIZE = 8 << 20;
    private static final int GUEST_BITS = 48;

    @ConfigProperty(name = "quarkus.grpc.server.test-port")
    int port;

    private GrpcLab lab;

    @BeforeEach
    void connect() {
        lab = new GrpcLab(port);
    }

    @AfterEach
    void everythingIsAsBefore() {
        lab.expectAudit(); // machines at any stage
        for (Vm vm : kvm().listVms(ListVmsRequest.getDefaultInstance()).getVmsList()) {
            delete(vm.getName());
        }
        lab.close();
    }

    @Test
    void tdxVm_stepByStep_isBuiltRunsAndIsTerminated() {
        String vm = create("steps", Vm.Type.TDX);
        assertThat(get(vm).getState()).isEqualTo(Vm.State.UNINITIALIZED);
        region(vm, 0, 0, SIZE);
        Vm initialised = init(vm);
        assertThat(initialised.getState()).isEqualTo(Vm.State.INITIALIZED);
        assertThat(initialised.getKeyId()).isPositive();
        assertThat(initialised.getMemoryRegions(0).getSizeBytes()).isEqualTo(SIZE);
        assertThat(vcpu(vm).getInitialized()).isFalse();
        assertThat(initVcpu(vm).getInitialized()).isTrue();
        attributes(vm, 0, SIZE);
        InitMemRegionResponse added = add(vm, 0x1000, 3);
        assertThat(added.getGpa()).isEqualTo(0x4000);
        assertThat(added.getPagesLeft()).isZero();
        assertThat(finalizeVm(vm).getState()).isEqualTo(Vm.State.RUNNABLE);
        PreFaultVcpuMemoryResponse faulted =
                kvm().preFaultVcpuMemory(
                                PreFaultVcpuMemoryRequest.newBuilder()
                                        .setName(vm)
                                        .setGpa(0x10_0000)
                                        .setSizeBytes(0x4000)
                                        .build());
        assertThat(faulted.getGpa()).isEqualTo(0x10_4000);
        assertThat(faulted.getBytesLeft()).isZero();
        assertThat(get(vm).getPrivatePages()).isEqualTo(7);
        assertThat(run(vm, "accept 0x100000..0x104000 4k").getReason()).isEqualTo(Reason.HALTED);
        VcpuExit asked = run(vm, "share 0x100000..0x101000; touch 0x100000..0x101000 shared");
        assertThat(asked.getReason()).isEqualTo(Reason.MAP_GPA);
        assertThat(asked.getGpa()).isEqualTo(0x10_0000);
        var _ =
                kvm().setMemoryAttributes(
                                SetMemoryAttributesRequest.newBuilder()
                                        .setName(vm)
                                        .setGpa(asked.getGpa())
                                        .setSizeBytes(asked.getSizeBytes())
                                        .setAttribute(MemoryAttribute.MEMORY_ATTRIBUTE_SHARED)
                                        .build());
        assertThat(run(vm, "").getReason()).isEqualTo(Reason.HALTED);
        lab.expectAudit();
        Vm terminated = kvm().terminateVm(TerminateVmRequest.newBuilder().setName(vm).build());
        assertThat(terminated.getState()).isEqualTo(Vm.State.TERMINATED);
        assertThat(terminated.getKeyId()).isZero();
        refused("EIO", Status.Code.FAILED_PRECONDITION, () -> finalizeVm(vm));
    }

    @Test
    void steps_outOfOrder_failAsTheIoctlsDo() {
        String vm = create("order", Vm.Type.TDX);
        refused("EIO", Status.Code.FAILED_PRECONDITION, () -> vcpu(vm));
        refused("EINVAL", Status.Code.INVALID_ARGUMENT, () -> finalizeVm(vm));
        assertThat(GrpcLab.code(() -> initVcpu(vm))).isEqualTo(Status.Code.INVALID_ARGUMENT);
        var _ = init(vm);
        StatusRuntimeException again =
                refused("EINVAL", Status.Code.INVALID_ARGUMENT, () -> init(vm));
        assertThat(GrpcLab.info(again).getMetadataMap()).containsEntry("ioctl", "KVM_TDX_INIT_VM");
        var _ = vcpu(vm);
        var _ = initVcpu(vm);
        refused("EINVAL", Status.Code.INVALID_ARGUMENT, () -> add(vm, 0x1000, 1)); // no slot
        refused("EINVAL", Status.Code.INVALID_ARGUMENT, () -> run(vm, "spin 1"));
        refused(
                "EOPNOTSUPP",
                Status.Code.FAILED_PRECONDITION,
                () ->
                        kvm().preFaultVcpuMemory(
                                        PreFaultVcpuMemoryRequest.newBuilder()
                                                .setName(vm)
                                                .setSizeBytes(0x1000)
                                                .build()));
    }

    @Test
    void initVm_withWhatKvmRefuses_isEinvalAndTheVmIsAsBefore() {
        String vm = create("bad", Vm.Type.TDX);
        for (InitVmRequest bad :
                new InitVmRequest[] {
                    initRequest(vm).setHwError(1).build(),
                    initRequest(vm).setFlags(1).build(),
                    initRequest(vm).clearCpuid().build(),
                    initRequest(vm).setAttributes(1L << 40).build(),
                    initRequest(vm).setMaxVcpus(100_000).build()
                }) {
            refused("EINVAL", Status.Code.INVALID_ARGUMENT, () -> kvm().initVm(bad));
        }
        assertThat(get(vm).getState()).isEqualTo(Vm.State.UNINITIALIZED);
        var _ = kvm().initVm(initRequest(vm).setMaxVcpus(1).build());
        var _ = vcpu(vm);
        refused("EINVAL", Status.Code.INVALID_ARGUMENT, () -> vcpu(vm));
    }

    @Test
    void initVm_thatTheModuleRefuses_carriesItsStatusWord() {
        String vm = create("refused", Vm.Type.TDX);
        FaultsGrpc.FaultsBlockingStub faults = FaultsGrpc.newBlockingStub(lab.channel());
        Fault fault =
                faults.createFault(
                        CreateFaultRequest.newBuilder()
                                .setFault(
                                        Fault.newBuilder()
                                                .setLeaf("TDH.MNG.INIT")
                                                .setStatus("OPERAND_INVALID|XFAM")
                                                .setNth(1))
                                .build());
        StatusRuntimeException e = refused("EINVAL", Status.Code.INVALID_ARGUMENT, () -> init(vm));
        assertThat(GrpcLab.info(e).getMetadataMap())
                .containsEntry("hw_error", "0xc000010000000041");
        var _ =
                faults.deleteFault(
                        DeleteFaultRequest.newBuilder().setName(fault.getName()).build());
        assertThat(init(vm).getState()).isEqualTo(Vm.State.INITIALIZED);
    }

    @Test
    void initVcpu_thatTheModuleRefuses_hasNoHwErrorButSaysWhatTheKernelLogs() {
        String vm = create("vp", Vm.Type.TDX);
        var _ = init(vm);
        var _ = vcpu(vm);
        FaultsGrpc.FaultsBlockingStub faults = FaultsGrpc.newBlockingStub(lab.channel());
        Fault fault =
                faults.createFault(
                        CreateFaultRequest.newBuilder()
                                .setFault(
                                        Fault.newBuilder()
                                                .setLeaf("TDH.VP.CREATE")
                                                .setStatus("PAGE_NOT_FREE")
                                                .setNth(1))
                                .build());
        StatusRuntimeException e =
                refused("EIO", Status.Code.FAILED_PRECONDITION, () -> initVcpu(vm));
        assertThat(GrpcLab.info(e).getMetadataMap())
                .containsEntry("leaf", "TDH.VP.CREATE")
                .containsKey("status_word")
                .doesNotContainKey("hw_error");
        assertThat(get(vm).getState()).isEqualTo(Vm.State.DEAD);
        refused(
                "EIO",
                Status.Code.FAILED_PRECONDITION,
                () -> kvm().terminateVm(TerminateVmRequest.newBuilder().setName(vm).build()));
        var _ =
                faults.deleteFault(
                        DeleteFaultRequest.newBuilder().setName(fault.getName()).build());
    }

    @Test
    void ordinaryVm_whoseCallerLeaves_comesBack_andItsGuestGoesOnWhereItWas() {
        String vm = create("leaving", Vm.Type.ORDINARY);
        region(vm, 0, 0, 1 << 20);
        var _ = vcpu(vm);
        refused("EINVAL", Status.Code.INVALID_ARGUMENT, () -> run(vm, "")); // nothing to go on with
        VcpuExit outside = run(vm, "touch 0x0..0x200000");
        assertThat(outside.getReason()).isEqualTo(Reason.MEMORY_FAULT);
        assertThat(outside.getGpa()).isEqualTo(1 << 20);
        region(vm, 1, 1 << 20, 1L << 40);
        assertThat(run(vm, "").getReason()).isEqualTo(Reason.HALTED);
        // Far more than there is memory: only the deadline ends it early.
        assertThat(
                        GrpcLab.code(() ->
                                KvmGrpc.newBlockingStub(lab.channel())
                                        .withDeadlineAfter(20, TimeUnit.MILLISECONDS)
                                        .preFaultVcpuMemory(
                                                PreFaultVcpuMemoryRequest.newBuilder()
                                                        .setName(vm)
                                                        .setSizeBytes(1L << 39)
                                                        .build())))
                .isEqualTo(Status.Code.DEADLINE_EXCEEDED);
        org.awaitility.Awaitility.await().until(() -> !isBusy(vm));
    }

    @Test
    void vms_beyondTheLimit_areRefusedEarlyWithAQuotaFailure() {
        int limit = 64;
        for (int i = 0; i < limit; i++) {
            var _ = create("many-" + i, i % 2 == 0 ? Vm.Type.ORDINARY : Vm.Type.TDX);
        }
        StatusRuntimeException e =
                refused(
                        "TOO_MANY_VMS",
                        Status.Code.RESOURCE_EXHAUSTED,
                        () -> create("one-more", Vm.Type.TDX));
        assertThat(GrpcLab.detail(e, QuotaFailure.class).getViolations(0).getSubject())
                .isEqualTo("vms");
        assertThat(GrpcLab.detail(e, RetryInfo.class).hasRetryDelay()).isTrue();
        delete("vms/many-7");
        assertThat(create("one-more", Vm.Type.TDX)).isEqualTo("vms/one-more");
    }

    @Test
    void capabilities_areWhatTheModuleOffers_ifThereIsRoom() {
        String vm = create("caps", Vm.Type.TDX);
        TdxCapabilities all =
                kvm().getTdxCapabilities(
                                GetTdxCapabilitiesRequest.newBuilder().setName(vm).build());
        assertThat(all.getSupportedXfam()).isNotZero();
        assertThat(all.getCpuidList()).isNotEmpty();
        assertThat(all.getUserTdvmcallInfoList())
                .as("SetupEventNotifyInterrupt; GetQuote belongs to the base set")
                .containsExactly(0b10L, 0L);
        assertThat(all.getKernelTdvmcallInfoList()).containsExactly(0L, 0L);
        refused(
                "E2BIG",
                Status.Code.INVALID_ARGUMENT,
                () ->
                        kvm().getTdxCapabilities(
                                        GetTdxCapabilitiesRequest.newBuilder()
                                                .setName(vm)
                                                .setCpuidEntries(0)
                                                .build()));
    }

    @Test
    void getTdxCpuid_ofAVcpuThatIsNotThere_isRefused() {
        String vm = create("cpuid", Vm.Type.TDX);
        assertThat(
                        GrpcLab.code(() ->
                                kvm().getTdxCpuid(
                                                GetTdxCpuidRequest.newBuilder()
                                                        .setName(vm)
                                                        .build())))
                .isEqualTo(Status.Code.INVALID_ARGUMENT);
    }

    @Test
    void memoryRegions_overlapAndGo_asSlotsDo() {
        String vm = create("slots", Vm.Type.TDX);
        region(vm, 1, 0, SIZE);
        refused("EEXIST", Status.Code.ALREADY_EXISTS, () -> region(vm, 2, 0x1000, 0x1000));
        refused("EINVAL", Status.Code.INVALID_ARGUMENT, () -> region(vm, 2, SIZE + 1, 0x1000));
        refused("EINVAL", Status.Code.INVALID_ARGUMENT, () -> region(vm, 7, 0, 0));
        assertThat(region(vm, 1, 0, 0).getMemoryRegionsList()).isEmpty();
        assertThat(region(vm, 2, 0x1000, 0x1000).getMemoryRegionsList()).hasSize(1);
    }

    @Test
    void ordinaryVm_touchesMemoryAndKnowsNoTdx() {
        String vm = create("plain", Vm.Type.ORDINARY);
        region(vm, 0, 0, SIZE);
        var _ = vcpu(vm);
        assertThat(run(vm, "touch 0x0..0x10000").getReason()).isEqualTo(Reason.HALTED);
        VcpuExit outside = run(vm, "touch 0x40000000..0x40001000");
        assertThat(outside.getReason()).isEqualTo(Reason.MEMORY_FAULT);
        assertThat(outside.getGpa()).isEqualTo(0x4000_0000L);
        refused("ENOTTY", Status.Code.FAILED_PRECONDITION, () -> init(vm));
        refused("ENOTTY", Status.Code.FAILED_PRECONDITION, () -> finalizeVm(vm));
        refused("EINVAL", Status.Code.INVALID_ARGUMENT, () -> attributes(vm, 0, SIZE));
        lab.expectAudit();
    }

    @Test
    void run_whoseDeadlinePasses_kicksTheVcpuOut_andDeletingDoes() {
        String vm = runnable("late");
        assertThat(
                        GrpcLab.code(() ->
                                KvmGrpc.newBlockingStub(lab.channel())
                                        .withDeadlineAfter(300, TimeUnit.MILLISECONDS)
                                        .runKvmVcpu(
                                                RunKvmVcpuRequest.newBuilder()
                                                        .setName(vm)
                                                        .setText(GrpcLab.FOR_EVER)
                                                        .build())))
                .isEqualTo(Status.Code.DEADLINE_EXCEEDED);
        CompletableFuture<VcpuExit> running =
                CompletableFuture.supplyAsync(() -> runWhenFree(vm, GrpcLab.FOR_EVER));
        org.awaitility.Awaitility.await().until(() -> isBusy(vm));
        delete(vm);
        assertThat(running.join().getReason()).isEqualTo(Reason.INTERRUPTED);
        assertThat(GrpcLab.code(() -> get(vm))).isEqualTo(Status.Code.NOT_FOUND);
    }

    /** The call whose deadline passed may still be on its way out. */
    private VcpuExit runWhenFree(String vm, String text) {
        while (true) {
            try {
                return run(vm, text);
            } catch (StatusRuntimeException e) {
                assertThat(GrpcLab.reason(e)).isEqualTo("VCPU_BUSY");
            }
        }
    }

    private boolean isBusy(String vm) {
        try {
            var _ =
                    kvm().preFaultVcpuMemory(
                                    PreFaultVcpuMemoryRequest.newBuilder()
                                            .setName(vm)
                                            .setGpa(0x1000)
                                            .setSizeBytes(0x1000)
                                            .build());
            return false;
        } catch (StatusRuntimeException e) {
            return GrpcLab.reason(e).equals("VCPU_BUSY");
        }
    }

    @Test
    void vms_areListedInPages_andTakenNamesAreRefused() {
        for (int i = 0; i < 3; i++) {
            var _ = create("page-" + i, i == 1 ? Vm.Type.ORDINARY : Vm.Type.TDX);
        }
        ListVmsResponse first = kvm().listVms(ListVmsRequest.newBuilder().setPageSize(2).build());
        delete("vms/page-1");
        ListVmsResponse rest =
                kvm().listVms(
                                ListVmsRequest.newBuilder()
                                        .setPageToken(first.getNextPageToken())
                                        .build());
        assertThat(first.getVmsList())
                .extracting(Vm::getName)
                .containsExactly("vms/page-0", "vms/page-1");
        assertThat(rest.getVmsList()).extracting(Vm::getName).containsExactly("vms/page-2");
        assertThat(GrpcLab.code(() -> create("page-0", Vm.Type.TDX)))
                .isEqualTo(Status.Code.ALREADY_EXISTS);
        assertThat(GrpcLab.code(() -> delete("vms/nobody"))).isEqualTo(Status.Code.NOT_FOUND);
        assertThat(GrpcLab.code(() -> get("nobody"))).isEqualTo(Status.Code.INVALID_ARGUMENT);
    }

    // ------------------------------------------------------------------ helpers

    private static StatusRuntimeException refused(
            String errno, Status.Code code, Supplier<?> call) {
        StatusRuntimeException e = GrpcLab.refused(call);
        assertThat(e).as("is not refused").isNotNull();
        assertThat(GrpcLab.reason(e)).isEqualTo(errno);
        assertThat(e.getStatus().getCode()).isEqualTo(code);
        return e;
    }

    private KvmGrpc.KvmBlockingStub kvm() {
        return KvmGrpc.newBlockingStub(lab.channel()).withDeadlineAfter(30, TimeUnit.SECONDS);
    }

    private String runnable(String id) {
        String vm = create(id, Vm.Type.TDX);
        region(vm, 0, 0, SIZE);
        var _ = init(vm);
        var _ = vcpu(vm);
        var _ = initVcpu(vm);
        attributes(vm, 0, SIZE);
        var _ = add(vm, 0x1000, 1);
        var _ = finalizeVm(vm);
        return vm;
    }

    private String create(String id, Vm.Type type) {
        return kvm().createVm(
                        CreateVmRequest.newBuilder()
                                .setVmId(id)
                                .setVm(Vm.newBuilder().setType(type))
                                .build())
                .getName();
    }

    private Vm get(String vm) {
        return kvm().getVm(GetVmRequest.newBuilder().setName(vm).build());
    }

    private com.google.protobuf.Empty delete(String vm) {
        return kvm().deleteVm(DeleteVmRequest.newBuilder().setName(vm).build());
    }

    private Vm region(String vm, int slot, long gpa, long size) {
        return kvm().setMemoryRegion(
                        SetMemoryRegionRequest.newBuilder()
                                .setName(vm)
                                .setMemoryRegion(
                                        MemoryRegion.newBuilder()
                                                .setSlot(slot)
                                                .setGpa(gpa)
                                                .setSizeBytes(size))
                                .build());
    }

    private Vm attributes(String vm, long gpa, long size) {
        return kvm().setMemoryAttributes(
                        SetMemoryAttributesRequest.newBuilder()
                                .setName(vm)
                                .setGpa(gpa)
                                .setSizeBytes(size)
                                .setAttribute(MemoryAttribute.MEMORY_ATTRIBUTE_PRIVATE)
                                .build());
    }

    private InitVmRequest.Builder initRequest(String vm) {
        return InitVmRequest.newBuilder()
                .setName(vm)
                .setXfam(3)
                .addCpuid(
                        CpuidEntry.newBuilder().setFunction(0x8000_0008).setEax(GUEST_BITS << 16));
    }

    private Vm init(String vm) {
        return kvm().initVm(initRequest(vm).build());
    }

    private dev.seamlab.v1.KvmVcpu vcpu(String vm) {
        return kvm().createVcpu(CreateVcpuRequest.newBuilder().setName(vm).build());
    }

    private dev.seamlab.v1.KvmVcpu initVcpu(String vm) {
        return kvm().initVcpu(InitVcpuRequest.newBuilder().setName(vm).build());
    }

    private InitMemRegionResponse add(String vm, long gpa, long pages) {
        return kvm().initMemRegion(
                        InitMemRegionRequest.newBuilder()
                                .setName(vm)
                                .setGpa(gpa)
                                .setPageCount(pages)
                                .setSource(ByteString.copyFromUtf8("seamlab"))
                                .setMeasure(true)
                                .build());
    }

    private Vm finalizeVm(String vm) {
        return kvm().finalizeVm(FinalizeVmRequest.newBuilder().setName(vm).build());
    }

    private VcpuExit run(String vm, String text) {
        return kvm().runKvmVcpu(RunKvmVcpuRequest.newBuilder().setName(vm).setText(text).build())
                .getExit();
    }
}
