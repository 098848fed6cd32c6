// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.seamcall;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.google.longrunning.Operation;
import com.google.longrunning.OperationsGrpc;
import com.google.longrunning.WaitOperationRequest;
import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.BadRequest;
import dev.seamlab.control.call.Limits;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.StatusCode;
import dev.seamlab.v1.AuditGrpc;
import dev.seamlab.v1.CreateSandboxRequest;
import dev.seamlab.v1.CreateTrustDomainRequest;
import dev.seamlab.v1.DecodeStatusRequest;
import dev.seamlab.v1.DecodedStatus;
import dev.seamlab.v1.DeleteSandboxRequest;
import dev.seamlab.v1.DeleteTrustDomainRequest;
import dev.seamlab.v1.GuestProgram;
import dev.seamlab.v1.LeafInfo;
import dev.seamlab.v1.LeafSelector;
import dev.seamlab.v1.ListLeavesRequest;
import dev.seamlab.v1.ListSandboxesRequest;
import dev.seamlab.v1.ReadMemoryRequest;
import dev.seamlab.v1.Registers;
import dev.seamlab.v1.RunAuditRequest;
import dev.seamlab.v1.Sandbox;
import dev.seamlab.v1.SeamcallRecord;
import dev.seamlab.v1.SeamcallRequest;
import dev.seamlab.v1.SeamcallResponse;
import dev.seamlab.v1.SeamcallsGrpc;
import dev.seamlab.v1.TrustDomain;
import dev.seamlab.v1.TrustDomainsGrpc;
import dev.seamlab.v1.WatchSeamcallsRequest;
import dev.seamlab.v1.WatchSeamcallsResponse;
import dev.seamlab.v1.WriteMemoryRequest;
import io.grpc.Context;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.StreamObserver;
import io.quarkus.test.junit.QuarkusTest;
import jakarta.inject.Inject;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The raw module over real gRPC. */
@QuarkusTest
class SeamcallsServiceTest {
    private static final long TDX_FEATURES0 = 0x0A00_0003_0000_0008L;
    private static final long RAM = 0x10_0000L;

    @ConfigProperty(name = "quarkus.grpc.server.test-port")
    int port;

    @Inject Limits limits;

    private ManagedChannel channel;

    @BeforeEach
    void connect() {
        channel = ManagedChannelBuilder.forAddress("127.0.0.1", port).usePlaintext().build();
    }

    @AfterEach
    void noSandboxStaysAndTheHostIsSound() {
        try {
            for (Sandbox sandbox :
                    stub().listSandboxes(ListSandboxesRequest.getDefaultInstance())
                            .getSandboxesList()) {
                delete(sandbox.getName());
            }
            assertThat(
                            AuditGrpc.newBlockingStub(channel)
                                    .runAudit(RunAuditRequest.getDefaultInstance())
                                    .getFindingsList())
                    .isEmpty();
        } finally {
            channel.shutdownNow();
        }
    }

    @Test
    void call_ofTheHostByName_answersRegistersAndStatus() {
        SeamcallResponse answer = stub().call(sysRd("").build());
        assertThat(answer.getStatus().getName()).isEqualTo("SUCCESS");
        assertThat(answer.getRegisters().getRax()).isZero();
        assertThat(answer.getRegisters().getR8()).isNotZero();
    }

    @Test
    void call_thatTheModuleRefuses_isAnAnswerNotAnError() {
        SeamcallResponse answer =
                stub().call(
                                SeamcallRequest.newBuilder()
                                        .setRegisters(Registers.newBuilder().setRax(0xFFFF))
                                        .build());
        assertThat(answer.getRegisters().getRax()).isEqualTo(StatusCode.OPERAND_INVALID.word());
        assertThat(answer.getStatus().getOperand()).isEqualTo("RAX");
        assertThat(answer.getStatus().getError()).isTrue();
        assertThat(answer.getStatus().getRecoverable()).isFalse();
    }

    @Test
    void sandbox_thatWasSwitchedOn_isNotBroughtUpAndItsOwnMachine() {
        String name = create("fresh").getName();
        assertThat(stub().call(sysRd(name).build()).getStatus().getName())
                .isEqualTo("SYS_LP_INIT_NOT_DONE");
        assertThat(call(name, 0, Leaf.SYS_INIT).getName()).isEqualTo("SUCCESS");
        assertThat(call(name, 1, Leaf.SYS_LP_INIT).getName()).isEqualTo("SUCCESS");
        assertThat(call(name, 1, Leaf.SYS_LP_INIT).getName()).isEqualTo("SYS_LP_INIT_DONE");
        assertThat(stub().call(sysRd(name).setCpu(1).build()).getStatus().getName())
                .isEqualTo("SUCCESS");
        assertThat(call("", 0, Leaf.SYS_INIT).getName()).isEqualTo("SYS_INIT_NOT_PENDING");
    }

    @Test
    void sandbox_ofAProfile_saysWhatItIsMadeOf() {
        Sandbox made =
                stub().createSandbox(
                                CreateSandboxRequest.newBuilder()
                                        .setSandbox(Sandbox.newBuilder().setProfile("server-2t-2s"))
                                        .build());
        assertThat(made.getName()).startsWith("sandboxes/lab-");
        assertThat(made.getPackageCount()).isEqualTo(2);
        assertThat(made.getCmrsList()).isNotEmpty();
        assertThat(made.getFirstPrivateKeyId()).isPositive();
    }

    @Test
    void sandbox_beyondTheLimit_isRefusedUntilOneGoes() {
        for (int i = 0; i < limits.sandboxes(); i++) {
            create("s" + i);
        }
        assertThat(failure(() -> create("more")).getStatus().getCode())
                .isEqualTo(Status.Code.RESOURCE_EXHAUSTED);
        delete("sandboxes/s0");
        create("more");
        assertThat(failure(() -> create("more")).getStatus().getCode())
                .isEqualTo(Status.Code.ALREADY_EXISTS);
    }

    @Test
    void sandbox_thatIsNotThere_isNotFoundByAnyMethod() {
        String none = "sandboxes/none";
        List<Runnable> methods =
                List.of(
                        () -> stub().call(sysRd(none).build()),
                        () ->
                                stub().listLeaves(
                                                ListLeavesRequest.newBuilder()
                                                        .setSandbox(none)
                                                        .build()),
                        () -> read(none, RAM, 1),
                        () -> write(none, RAM, new byte[1]),
                        () ->
                                stub().watchSeamcalls(
                                                WatchSeamcallsRequest.newBuilder()
                                                        .setSandbox(none)
                                                        .build())
                                        .next(),
                        () -> delete(none));
        for (Runnable method : methods) {
            assertThat(failure(method).getStatus().getCode()).isEqualTo(Status.Code.NOT_FOUND);
        }
    }

    @Test
    void badInput_ofEachKind_namesTheField() {
        assertThat(field(() -> stub().call(sysRd("").setCpu(4096).build()))).isEqualTo("cpu");
        assertThat(field(() -> stub().call(sysRd("").setCpu(-1).build()))).isEqualTo("cpu");
        assertThat(
                        field(() ->
                                stub().call(
                                                sysRd("")
                                                        .setRegisters(
                                                                Registers.newBuilder().setRax(34))
                                                        .build())))
                .isEqualTo("registers.rax");
        assertThat(
                        field(() ->
                                stub().call(
                                                SeamcallRequest.newBuilder()
                                                        .setLeaf(
                                                                LeafSelector.newBuilder()
                                                                        .setName("TDH.NOPE"))
                                                        .build())))
                .isEqualTo("leaf.name");
        assertThat(field(() -> stub().call(sysRd("Bad Name").build()))).isEqualTo("sandbox");
        assertThat(field(() -> read("", 0, 1))).isEqualTo("hpa");
        assertThat(field(() -> read("", 1L << 50, 1))).isEqualTo("hpa");
        assertThat(field(() -> read("", -1L, 1))).isEqualTo("hpa");
        assertThat(field(() -> read("", RAM, 0))).isEqualTo("length");
        assertThat(field(() -> read("", RAM, (1 << 20) + 1))).isEqualTo("length");
        assertThat(field(() -> write("", RAM, new byte[0]))).isEqualTo("data");
        assertThat(field(() -> decode(DecodeStatusRequest.newBuilder().setText("NOPE"))))
                .isEqualTo("text");
        assertThat(field(() -> decode(DecodeStatusRequest.newBuilder()))).isEqualTo("status");
        assertThat(
                        field(() ->
                                stub().createSandbox(
                                                CreateSandboxRequest.newBuilder()
                                                        .setSandbox(
                                                                Sandbox.newBuilder()
                                                                        .setProfile("/etc/x.yaml"))
                                                        .build())))
                .isEqualTo("sandbox.profile");
        assertThat(
                        field(() ->
                                stub().watchSeamcalls(
                                                WatchSeamcallsRequest.newBuilder()
                                                        .addLeaves("NOPE")
                                                        .build())
                                        .next()))
                .isEqualTo("leaves[0]");
    }

    @Test
    void memory_thatWasWritten_readsBackAcrossPages() {
        String name = create("memory").getName();
        byte[] data = new byte[10_000];
        for (int i = 0; i < data.length; i++) {
            data[i] = (byte) (i * 31);
        }
        write(name, RAM + 4000, data);
        assertThat(read(name, RAM + 4000, data.length)).isEqualTo(data);
        assertThat(read(name, RAM, 4000)).containsOnly(0);
    }

    @Test
    void memory_beyondTheEndOfRam_isNotReadInPart() {
        Sandbox made = create("edge");
        long end = made.getCmrs(0).getEnd();
        assertThat(read(made.getName(), end - 8, 8)).hasSize(8);
        assertThat(field(() -> read(made.getName(), end - 8, 9))).isEqualTo("length");
    }

    @Test
    void memory_beyondWhatMayBeWritten_isRefused() {
        String name = create("full").getName();
        byte[] mib = new byte[1 << 20];
        StatusRuntimeException full =
                failure(() -> {
                    for (long at = RAM; ; at += mib.length) {
                        write(name, at, mib);
                    }
                });
        assertThat(full.getStatus().getCode()).isEqualTo(Status.Code.RESOURCE_EXHAUSTED);
        write(name, RAM, mib);
    }

    @Test
    void leaves_ofTheModule_sayWhichOnesItHas() {
        List<LeafInfo> leaves =
                stub().listLeaves(ListLeavesRequest.getDefaultInstance()).getLeavesList();
        assertThat(leaves).hasSameSizeAs(Leaf.values());
        assertThat(leaves).extracting(LeafInfo::getNumber).isSortedAccordingTo(Integer::compare);
        LeafInfo enter = leaves.getFirst();
        assertThat(enter.getName()).isEqualTo("TDH.VP.ENTER");
        assertThat(enter.getModelled()).isTrue();
        assertThat(enter.getOpStatesList())
                .containsExactly("RUNNABLE", "LIVE_EXPORT", "LIVE_IMPORT");
        assertThat(leaves)
                .filteredOn(leaf -> leaf.getName().contains("EXPORT"))
                .noneMatch(LeafInfo::getModelled);
    }

    @Test
    void status_byWordOrName_isDecoded() {
        DecodedStatus status =
                decode(DecodeStatusRequest.newBuilder().setWord(0xC000_0304_0000_0001L));
        assertThat(status.getName()).isEqualTo("HPA_RANGE_NOT_FREE");
        assertThat(status.getClassName()).isEqualTo("page metadata");
        assertThat(status.getSeverity()).isEqualTo(DecodedStatus.Severity.NON_RECOVERABLE);
        assertThat(status.getOperand()).isEqualTo("RCX");
        assertThat(status.getCause()).contains("2M range");
        assertThat(status.getNextStep()).isNotEmpty();
        assertThat(decode(DecodeStatusRequest.newBuilder().setText("OPERAND_BUSY")).getSeverity())
                .isEqualTo(DecodedStatus.Severity.RECOVERABLE);
    }

    @Test
    void stream_ofManyCalls_answersInOrder() throws InterruptedException {
        String name = create("stream").getName();
        Answers answers = new Answers();
        StreamObserver<SeamcallRequest> calls = SeamcallsGrpc.newStub(channel).callStream(answers);
        int count = 2_000;
        for (int i = 0; i < count; i++) {
            calls.onNext(
                    SeamcallRequest.newBuilder()
                            .setSandbox(name)
                            .setRegisters(Registers.newBuilder().setRax(0xFFFF).setR15(i))
                            .build());
        }
        calls.onCompleted();
        assertThat(answers.over.await(30, TimeUnit.SECONDS)).isTrue();
        assertThat(answers.errors).isEmpty();
        assertThat(answers.messages).hasSize(count);
        long expected = 0;
        for (SeamcallResponse answer : answers.messages) {
            assertThat(answer.getRegisters().getR15()).isEqualTo(expected++);
        }
    }

    @Test
    void stream_withABadCall_endsAfterThoseBefore() throws InterruptedException {
        Answers answers = new Answers();
        StreamObserver<SeamcallRequest> calls = SeamcallsGrpc.newStub(channel).callStream(answers);
        calls.onNext(sysRd("").build());
        calls.onNext(sysRd("").setCpu(9999).build());
        assertThat(answers.over.await(30, TimeUnit.SECONDS)).isTrue();
        assertThat(answers.messages).hasSize(1);
        assertThat(answers.errors).hasSize(1);
        assertThat(field((StatusRuntimeException) answers.errors.getFirst())).isEqualTo("cpu");
    }

    @Test
    void log_ofAMachine_tellsItsCallsWithRegistersAndNoOthers() {
        String name = create("logged").getName();
        Context.CancellableContext watching = Context.current().withCancellation();
        watching.run(() -> {
            Iterator<WatchSeamcallsResponse> log =
                    stub().watchSeamcalls(
                                    WatchSeamcallsRequest.newBuilder()
                                            .setSandbox(name)
                                            .setErrorsOnly(true)
                                            .build());
            assertThat(log.next().getCallsCount()).isZero();
            stub().call(sysRd("").build()); // another machine
            call(name, 0, Leaf.SYS_INIT); // no error
            stub().call(sysRd(name).setCpu(2).build());
            SeamcallRecord record = log.next().getCalls(0);
            assertThat(record.getLeafName()).isEqualTo("TDH.SYS.RD");
            assertThat(record.getCpu()).isEqualTo(2);
            assertThat(record.getInput().getRdx()).isEqualTo(TDX_FEATURES0);
            assertThat(record.getOutput().getRax())
                    .isEqualTo(StatusCode.SYS_LP_INIT_NOT_DONE.word());
            assertThat(record.getOutput().getRdx()).isEqualTo(-1);
            assertThat(record.getStatusName()).isEqualTo("SYS_LP_INIT_NOT_DONE");
            assertThat(record.getReturnTime().getSeconds()).isPositive();
        });
        watching.cancel(null);
    }

    @Test
    void log_ofASandboxThatIsSwitchedOff_ends() {
        String name = create("brief").getName();
        Iterator<WatchSeamcallsResponse> log =
                stub().watchSeamcalls(WatchSeamcallsRequest.newBuilder().setSandbox(name).build());
        assertThat(log.next().getCallsCount()).isZero();
        delete(name);
        assertThat(log.hasNext()).isFalse();
    }

    @Test
    void call_thatRunsAGuestWithoutEnd_leavesItsCpuWhenTheClientGivesUp() {
        Context.CancellableContext watching = Context.current().withCancellation();
        SeamcallRecord[] init = new SeamcallRecord[1];
        watching.run(() -> {
            Iterator<WatchSeamcallsResponse> log =
                    stub().watchSeamcalls(
                                    WatchSeamcallsRequest.newBuilder()
                                            .addLeaves("TDH.VP.INIT")
                                            .build());
            assertThat(log.next().getCallsCount()).isZero();
            var _ =
                    finished(
                            TrustDomainsGrpc.newBlockingStub(channel).createTrustDomain(endless()));
            init[0] = log.next().getCalls(0);
        });
        watching.cancel(null);
        int cpu = init[0].getCpu();
        SeamcallRequest enter =
                SeamcallRequest.newBuilder()
                        .setCpu(cpu)
                        .setLeaf(LeafSelector.newBuilder().setName("TDH.VP.ENTER"))
                        .setRegisters(Registers.newBuilder().setRcx(init[0].getInput().getRcx()))
                        .build();
        StatusRuntimeException gaveUp =
                failure(() -> stub().withDeadlineAfter(500, TimeUnit.MILLISECONDS).call(enter));
        assertThat(gaveUp.getStatus().getCode()).isEqualTo(Status.Code.DEADLINE_EXCEEDED);
        assertThat(stub().call(sysRd("").setCpu(cpu).build()).getStatus().getName())
                .isEqualTo("SUCCESS");
        var _ =
                finished(
                        TrustDomainsGrpc.newBlockingStub(channel)
                                .deleteTrustDomain(
                                        DeleteTrustDomainRequest.newBuilder()
                                                .setName("trustDomains/endless")
                                                .build()));
    }

    private static CreateTrustDomainRequest endless() {
        return CreateTrustDomainRequest.newBuilder()
                .setTrustDomainId("endless")
                .setTrustDomain(
                        TrustDomain.newBuilder()
                                .setMemoryBytes(16 << 20)
                                .setVcpuCount(1)
                                .setGuestProgram(
                                        GuestProgram.newBuilder()
                                                .setText("loop 1000000000000 { spin 1 }")))
                .build();
    }

    private Operation finished(Operation operation) {
        Operation done =
                operation.getDone()
                        ? operation
                        : OperationsGrpc.newBlockingStub(channel)
                                .waitOperation(
                                        WaitOperationRequest.newBuilder()
                                                .setName(operation.getName())
                                                .build());
        assertThat(done.getDone()).isTrue();
        assertThat(done.hasError()).as(done.getError().toString()).isFalse();
        return done;
    }

    private static final class Answers implements StreamObserver<SeamcallResponse> {
        final LinkedBlockingQueue<SeamcallResponse> messages = new LinkedBlockingQueue<>();
        final List<Throwable> errors = new ArrayList<>();
        final CountDownLatch over = new CountDownLatch(1);

        @Override
        public void onNext(SeamcallResponse message) {
            messages.add(message);
        }

        @Override
        public void onError(Throwable e) {
            errors.add(e);
            over.countDown();
        }

        @Override
        public void onCompleted() {
            over.countDown();
        }
    }

    private SeamcallsGrpc.SeamcallsBlockingStub stub() {
        return SeamcallsGrpc.newBlockingStub(channel).withDeadlineAfter(30, TimeUnit.SECONDS);
    }

    private static SeamcallRequest.Builder sysRd(String sandbox) {
        return SeamcallRequest.newBuilder()
                .setSandbox(sandbox)
                .setLeaf(LeafSelector.newBuilder().setName("TDH.SYS.RD"))
                .setRegisters(Registers.newBuilder().setRdx(TDX_FEATURES0));
    }

    private DecodedStatus call(String sandbox, int cpu, Leaf leaf) {
        return stub().call(
                        SeamcallRequest.newBuilder()
                                .setSandbox(sandbox)
                                .setCpu(cpu)
                                .setRegisters(Registers.newBuilder().setRax(leaf.rax(0)))
                                .build())
                .getStatus();
    }

    private DecodedStatus decode(DecodeStatusRequest.Builder request) {
        return stub().decodeStatus(request.build());
    }

    private Sandbox create(String id) {
        return stub().createSandbox(CreateSandboxRequest.newBuilder().setSandboxId(id).build());
    }

    private void delete(String name) {
        var _ = stub().deleteSandbox(DeleteSandboxRequest.newBuilder().setName(name).build());
    }

    private byte[] read(String sandbox, long hpa, int length) {
        return stub().readMemory(
                        ReadMemoryRequest.newBuilder()
                                .setSandbox(sandbox)
                                .setHpa(hpa)
                                .setLength(length)
                                .build())
                .getData()
                .toByteArray();
    }

    private void write(String sandbox, long hpa, byte[] data) {
        var _ =
                stub().writeMemory(
                                WriteMemoryRequest.newBuilder()
                                        .setSandbox(sandbox)
                                        .setHpa(hpa)
                                        .setData(ByteString.copyFrom(data))
                                        .build());
    }

    private static StatusRuntimeException failure(Runnable call) {
        StatusRuntimeException failure =
                catchThrowableOfType(StatusRuntimeException.class, call::run);
        assertThat(failure).isNotNull();
        return failure;
    }

    /** The one field that a refusal names. */
    private static String field(Runnable call) {
        return field(failure(call));
    }

    private static String field(StatusRuntimeException failure) {
        assertThat(failure.getStatus().getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
        com.google.rpc.Status status = StatusProto.fromThrowable(failure);
        try {
            for (Any detail : status.getDetailsList()) {
                if (detail.is(BadRequest.class)) {
                    BadRequest bad = detail.unpack(BadRequest.class);
                    assertThat(bad.getFieldViolationsList()).hasSize(1);
                    assertThat(bad.getFieldViolations(0).getDescription()).isNotBlank();
                    return bad.getFieldViolations(0).getField();
                }
            }
        } catch (InvalidProtocolBufferException e) {
            throw new AssertionError(e);
        }
        throw new AssertionError("no BadRequest in " + status);
    }
}
