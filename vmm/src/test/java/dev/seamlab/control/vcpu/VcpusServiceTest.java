// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.vcpu;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.rpc.BadRequest;
import dev.seamlab.control.GrpcLab;
import dev.seamlab.v1.ExecuteGuestProgramRequest;
import dev.seamlab.v1.ExecuteGuestProgramResponse;
import dev.seamlab.v1.GetTrustDomainRequest;
import dev.seamlab.v1.GetVcpuRequest;
import dev.seamlab.v1.KillTrustDomainRequest;
import dev.seamlab.v1.ListVcpusRequest;
import dev.seamlab.v1.ListVcpusResponse;
import dev.seamlab.v1.PauseTrustDomainRequest;
import dev.seamlab.v1.ResumeTrustDomainRequest;
import dev.seamlab.v1.RunVcpuRequest;
import dev.seamlab.v1.RunVcpuResponse;
import dev.seamlab.v1.StartTrustDomainRequest;
import dev.seamlab.v1.TrustDomain;
import dev.seamlab.v1.TrustDomain.State;
import dev.seamlab.v1.Vcpu;
import dev.seamlab.v1.VcpuExit.Reason;
import dev.seamlab.v1.VcpusGrpc;
import io.grpc.Context;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.StreamObserver;
import io.quarkus.test.junit.QuarkusTest;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.awaitility.Awaitility;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** vCPUs over real gRPC. */
@QuarkusTest
class VcpusServiceTest {
    private static final String SHARE =
            "share 0x1000000..0x1002000; touch 0x1000000..0x1002000 shared";

    @ConfigProperty(name = "quarkus.grpc.server.test-port")
    int port;

    private GrpcLab lab;

    @BeforeEach
    void connect() {
        lab = new GrpcLab(port);
    }

    @AfterEach
    void everythingIsAsBefore() {
        lab.close();
    }

    @Test
    void vcpus_ofABuiltTrustDomain_areListedInPagesWithWhatTheyHold() {
        String td = lab.build("pages", 3, "idle").getName();
        ListVcpusResponse first = list(td, 2, "");
        ListVcpusResponse rest = list(td, 2, first.getNextPageToken());
        assertThat(first.getVcpusList()).extracting(Vcpu::getIndex).containsExactly(0, 1);
        assertThat(rest.getVcpusList()).extracting(Vcpu::getIndex).containsExactly(2);
        assertThat(rest.getNextPageToken()).isEmpty();
        assertThat(first.getVcpusList())
                .allSatisfy(vcpu -> {
                    assertThat(vcpu.getState()).isEqualTo(Vcpu.State.IDLE);
                    assertThat(vcpu.getTdvprHpa()).isPositive();
                    assertThat(vcpu.getOperations()).isZero();
                });
        assertThat(get(td + "/vcpus/1")).isEqualTo(first.getVcpus(1));
        String other = lab.build("other", 1, "idle").getName();
        assertThat(GrpcLab.code(() -> list(other, 2, first.getNextPageToken())))
                .isEqualTo(Status.Code.INVALID_ARGUMENT);
    }

    @Test
    void vcpu_thatIsNotThere_isNotFound() {
        String td = lab.build("few", 1, "idle").getName();
        assertThat(GrpcLab.code(() -> get(td + "/vcpus/1"))).isEqualTo(Status.Code.NOT_FOUND);
        assertThat(GrpcLab.code(() -> get("trustDomains/nobody/vcpus/0")))
                .isEqualTo(Status.Code.NOT_FOUND);
        assertThat(GrpcLab.code(() -> list("trustDomains/nobody", 0, "")))
                .isEqualTo(Status.Code.NOT_FOUND);
        assertThat(GrpcLab.code(() -> run(td + "/vcpus/1", false)))
                .isEqualTo(Status.Code.NOT_FOUND);
        assertThat(GrpcLab.code(() -> get(td + "/vcpus/x")))
                .isEqualTo(Status.Code.INVALID_ARGUMENT);
    }

    @Test
    void run_ofAProgramThatConverts_stopsAtEachConversionAndAtTheEnd() {
        String vcpu =
                lab.build("steps", 1, "accept 0x1000000..0x1002000; " + SHARE).getName()
                        + "/vcpus/0";
        RunVcpuResponse asked = run(vcpu, false);
        assertThat(asked.getExit().getReason()).isEqualTo(Reason.MAP_GPA);
        assertThat(asked.getExit().getGpa()).isEqualTo(0x100_0000L);
        assertThat(asked.getExit().getSizeBytes()).isEqualTo(0x2000);
        assertThat(asked.getExit().getToPrivate()).isFalse();
        assertThat(asked.getVcpu().getState()).isEqualTo(Vcpu.State.IDLE);
        assertThat(asked.getVcpu().getTdExits()).isPositive();
        // Told that it is done, while it is not: the guest's shared access does not fit.
        RunVcpuResponse fault = run(vcpu, false);
        assertThat(fault.getExit().getReason()).isEqualTo(Reason.MEMORY_FAULT);
        assertThat(fault.getExit().getGpa()).isEqualTo(0x100_0000L);
        RunVcpuResponse end = run(vcpu, true);
        assertThat(end.getExit().getReason()).isEqualTo(Reason.HALTED);
        assertThat(end.getVcpu().getState()).isEqualTo(Vcpu.State.FINISHED);
    }

    @Test
    void run_thatServesConversions_goesToTheEnd() {
        String td = lab.build("served", 1, "accept 0x1000000..0x1002000; " + SHARE).getName();
        assertThat(run(td + "/vcpus/0", true).getExit().getReason()).isEqualTo(Reason.HALTED);
        assertThat(td(td).getState()).isEqualTo(State.READY);
        assertThat(td(td).getProgress().getConvertedPages()).isEqualTo(2);
    }

    @Test
    void run_ofAGuestThatGivesUp_saysWhy() {
        String vcpu = lab.build("fatal", 1, "fatal 7 \"no way\"").getName() + "/vcpus/0";
        RunVcpuResponse answer = run(vcpu, false);
        assertThat(answer.getExit().getReason()).isEqualTo(Reason.FATAL_ERROR);
        assertThat(answer.getExit().getCode()).isEqualTo(7);
        assertThat(answer.getExit().getText()).contains("no way");
    }

    @Test
    void run_whoseDeadlinePasses_kicksTheVcpuOut() {
        String td = lab.build("late", 1, GrpcLab.FOR_EVER).getName();
        assertThat(
                        GrpcLab.code(() ->
                                VcpusGrpc.newBlockingStub(lab.channel())
                                        .withDeadlineAfter(300, TimeUnit.MILLISECONDS)
                                        .runVcpu(
                                                RunVcpuRequest.newBuilder()
                                                        .setName(td + "/vcpus/0")
                                                        .build())))
                .isEqualTo(Status.Code.DEADLINE_EXCEEDED);
        awaitIdle(td + "/vcpus/0");
        assertThat(get(td + "/vcpus/0").getOperations()).isPositive();
        lab.expectAudit();
    }

    @Test
    void trustDomain_whoseVcpuIsDriven_cannotBeStartedUntilTheClientLeaves() {
        String td = lab.build("driven", 2, GrpcLab.FOR_EVER).getName();
        Context.CancellableContext hand = Context.current().withCancellation();
        CompletableFuture<StatusRuntimeException> ended = driveForEver(hand, td);
        StatusRuntimeException refused = GrpcLab.refused(() -> start(td));
        assertThat(refused.getStatus().getCode()).isEqualTo(Status.Code.ABORTED);
        assertThat(GrpcLab.reason(refused)).isEqualTo("VCPU_DRIVEN_BY_CLIENT");
        assertThat(GrpcLab.reason(GrpcLab.refused(() -> run(td + "/vcpus/0", false))))
                .isEqualTo("VCPU_DRIVEN_BY_CLIENT");
        assertThat(get(td + "/vcpus/1").getState()).isEqualTo(Vcpu.State.IDLE);
        hand.cancel(null);
        assertThat(ended.join().getStatus().getCode()).isEqualTo(Status.Code.CANCELLED);
        awaitIdle(td + "/vcpus/0");
        assertThat(start(td).getState()).isEqualTo(State.RUNNING);
        StatusRuntimeException running = GrpcLab.refused(() -> run(td + "/vcpus/0", false));
        assertThat(running.getStatus().getCode()).isEqualTo(Status.Code.FAILED_PRECONDITION);
        assertThat(GrpcLab.reason(running)).isEqualTo("WRONG_STATE");
    }

    @Test
    void kill_whileAVcpuIsDriven_throwsItOut() {
        String td = lab.build("killed", 1, GrpcLab.FOR_EVER).getName();
        CompletableFuture<RunVcpuResponse> ended =
                CompletableFuture.supplyAsync(() -> run(td + "/vcpus/0", false));
        awaitState(td + "/vcpus/0", Vcpu.State.RUNNING);
        TrustDomain killed =
                lab.trustDomains()
                        .killTrustDomain(KillTrustDomainRequest.newBuilder().setName(td).build());
        assertThat(killed.getState()).isEqualTo(State.STOPPED);
        assertThat(ended.join().getExit().getReason()).isEqualTo(Reason.INTERRUPTED);
        assertThat(get(td + "/vcpus/0").getState()).isEqualTo(Vcpu.State.DEAD);
    }

    @Test
    void run_ofAPausedTrustDomain_goesOnWhereItWas_andItResumes() {
        String td = lab.build("paused", 1, "loop 1000000000000 { spin 100; halt }").getName();
        var _ = start(td);
        Awaitility.await().until(() -> get(td + "/vcpus/0").getOperations() > 0);
        var _ =
                lab.trustDomains()
                        .pauseTrustDomain(PauseTrustDomainRequest.newBuilder().setName(td).build());
        long before = get(td + "/vcpus/0").getOperations();
        assertThat(run(td + "/vcpus/0", false).getExit().getReason()).isEqualTo(Reason.HALTED);
        assertThat(get(td + "/vcpus/0").getOperations()).isGreaterThanOrEqualTo(before);
        assertThat(
                        lab.trustDomains()
                                .resumeTrustDomain(
                                        ResumeTrustDomainRequest.newBuilder().setName(td).build())
                                .getState())
                .isEqualTo(State.RUNNING);
    }

    @Test
    void execute_piecesOneByOne_tellsHowEachEndedAndLeavesTheProgramAsItWas() throws Exception {
        String td = lab.build("hand", 1, "accept 0x2000000..0x2002000").getName();
        Hand hand = new Hand();
        ExecuteGuestProgramResponse accepted =
                hand.execute(td + "/vcpus/0", "accept 0x1000000..0x1004000 4k; halt; spin 3");
        assertThat(accepted.getExit().getReason()).isEqualTo(Reason.HALTED);
        assertThat(accepted.getPrivateFaults()).isPositive();
        assertThat(accepted.getOperations()).isGreaterThanOrEqualTo(7);
        assertThat(
                        hand.execute("", "share 0x1000000+0x1000; write 0x1000000+0x1000 shared")
                                .getSharedFaults())
                .isEqualTo(1);
        assertThat(hand.execute("", "fatal 3 \"stop\"").getExit().getReason())
                .isEqualTo(Reason.FATAL_ERROR);
        assertThat(hand.execute("", "spin 5").getOperations()).isEqualTo(5);
        hand.requests.onCompleted();
        assertThat(hand.end.get(10, TimeUnit.SECONDS)).isEqualTo(Status.OK);
        assertThat(run(td + "/vcpus/0", false).getExit().getReason()).isEqualTo(Reason.HALTED);
        assertThat(get(td + "/vcpus/0").getState()).isEqualTo(Vcpu.State.FINISHED);
    }

    @Test
    void execute_whatDoesNotParse_endsTheStreamWithLineAndColumn() throws Exception {
        String td = lab.build("typo", 1, "idle").getName();
        Hand hand = new Hand();
        hand.send(td + "/vcpus/0", "spin 1\n  jump 3");
        Throwable failure = hand.failure.get(10, TimeUnit.SECONDS);
        BadRequest bad = GrpcLab.detail((StatusRuntimeException) failure, BadRequest.class);
        assertThat(bad.getFieldViolations(0).getField()).isEqualTo("text");
        assertThat(bad.getFieldViolations(0).getDescription()).startsWith("line 2, column 3: ");
        assertThat(start(td).getState()).isEqualTo(State.RUNNING);
    }

    @Test
    void execute_withoutAName_orWithAnother_isRefused() throws Exception {
        String td = lab.build("names", 2, "idle").getName();
        Hand nameless = new Hand();
        nameless.send("", "spin 1");
        assertThat(Status.fromThrowable(nameless.failure.get(10, TimeUnit.SECONDS)).getCode())
                .isEqualTo(Status.Code.INVALID_ARGUMENT);
        Hand fickle = new Hand();
        assertThat(fickle.execute(td + "/vcpus/0", "spin 1").getOperations()).isEqualTo(1);
        fickle.send(td + "/vcpus/1", "spin 1");
        assertThat(Status.fromThrowable(fickle.failure.get(10, TimeUnit.SECONDS)).getCode())
                .isEqualTo(Status.Code.INVALID_ARGUMENT);
        assertThat(start(td).getState()).isEqualTo(State.RUNNING);
    }

    @Test
    void execute_ofAPieceWithoutEnd_endsWhenTheClientHangsUp() {
        String td = lab.build("hang", 1, "idle").getName();
        Context.CancellableContext context = Context.current().withCancellation();
        context.run(() -> new Hand().send(td + "/vcpus/0", GrpcLab.FOR_EVER));
        awaitState(td + "/vcpus/0", Vcpu.State.RUNNING);
        context.cancel(null);
        awaitIdle(td + "/vcpus/0");
        assertThat(start(td).getState()).isEqualTo(State.RUNNING);
    }

    // ------------------------------------------------------------------ helpers

    /** A stream of pieces. */
    private final class Hand implements StreamObserver<ExecuteGuestProgramResponse> {
        final BlockingQueue<ExecuteGuestProgramResponse> answers = new LinkedBlockingQueue<>();
        final CompletableFuture<Throwable> failure = new CompletableFuture<>();
        final CompletableFuture<Status> end = new CompletableFuture<>();
        final StreamObserver<ExecuteGuestProgramRequest> requests =
                VcpusGrpc.newStub(lab.channel()).executeGuestProgram(this);

        void send(String name, String text) {
            requests.onNext(
                    ExecuteGuestProgramRequest.newBuilder().setName(name).setText(text).build());
        }

        ExecuteGuestProgramResponse execute(String name, String text) throws InterruptedException {
            send(name, text);
            ExecuteGuestProgramResponse answer = answers.poll(20, TimeUnit.SECONDS);
            assertThat(answer).as(failure.toString()).isNotNull();
            return answer;
        }

        @Override
        public void onNext(ExecuteGuestProgramResponse answer) {
            answers.add(answer);
        }

        @Override
        public void onError(Throwable e) {
            failure.complete(e);
        }

        @Override
        public void onCompleted() {
            end.complete(Status.OK);
        }
    }

    private CompletableFuture<StatusRuntimeException> driveForEver(Context context, String td) {
        CompletableFuture<StatusRuntimeException> ended =
                CompletableFuture.supplyAsync(() -> {
                    try {
                        return context.call(
                                () -> GrpcLab.refused(() -> run(td + "/vcpus/0", false)));
                    } catch (Exception e) {
                        throw new AssertionError(e);
                    }
                });
        awaitState(td + "/vcpus/0", Vcpu.State.RUNNING);
        return ended;
    }

    private void awaitIdle(String vcpu) {
        awaitState(vcpu, Vcpu.State.IDLE);
    }

    private void awaitState(String vcpu, Vcpu.State state) {
        Awaitility.await().until(() -> get(vcpu).getState() == state);
    }

    private VcpusGrpc.VcpusBlockingStub vcpus() {
        return VcpusGrpc.newBlockingStub(lab.channel()).withDeadlineAfter(30, TimeUnit.SECONDS);
    }

    private Vcpu get(String name) {
        return vcpus().getVcpu(GetVcpuRequest.newBuilder().setName(name).build());
    }

    private ListVcpusResponse list(String parent, int size, String token) {
        return vcpus().listVcpus(
                        ListVcpusRequest.newBuilder()
                                .setParent(parent)
                                .setPageSize(size)
                                .setPageToken(token)
                                .build());
    }

    private RunVcpuResponse run(String name, boolean serve) {
        return vcpus().runVcpu(
                        RunVcpuRequest.newBuilder()
                                .setName(name)
                                .setServeConversions(serve)
                                .build());
    }

    private TrustDomain td(String name) {
        return lab.trustDomains()
                .getTrustDomain(GetTrustDomainRequest.newBuilder().setName(name).build());
    }

    private TrustDomain start(String name) {
        return lab.trustDomains()
                .startTrustDomain(StartTrustDomainRequest.newBuilder().setName(name).build());
    }
}
