// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.td;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.longrunning.CancelOperationRequest;
import com.google.longrunning.GetOperationRequest;
import com.google.longrunning.Operation;
import com.google.longrunning.OperationsGrpc;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.util.Durations;
import dev.seamlab.control.GrpcLab;
import dev.seamlab.v1.CreateFaultRequest;
import dev.seamlab.v1.DeleteFaultRequest;
import dev.seamlab.v1.DeleteTrustDomainRequest;
import dev.seamlab.v1.Fault;
import dev.seamlab.v1.FaultsGrpc;
import dev.seamlab.v1.GetTrustDomainRequest;
import dev.seamlab.v1.KillTrustDomainRequest;
import dev.seamlab.v1.StartTrustDomainRequest;
import dev.seamlab.v1.TerminateTrustDomainRequest;
import dev.seamlab.v1.TrustDomain;
import dev.seamlab.v1.TrustDomain.State;
import dev.seamlab.v1.TrustDomainOperationMetadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.quarkus.test.junit.QuarkusTest;
import org.awaitility.Awaitility;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The end of trust domains in pieces, over real gRPC. */
@QuarkusTest
class TerminateTest {
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
    void terminate_aReadyTrustDomain_releasesItsKeyIdAndKeepsItsMemory() {
        int free = lab.memory().getKeyIds().getFree();
        TrustDomain td = lab.build("early", 1, "idle");
        TrustDomain after = terminate(td.getName());
        assertThat(after.getState()).isEqualTo(State.STOPPED);
        assertThat(after.getKeyId()).isZero();
        assertThat(after.getMemory().getPrivatePages()).isPositive();
        assertThat(lab.memory().getKeyIds().getFree()).isEqualTo(free);
        lab.expectAudit();
        assertThat(GrpcLab.code(() -> start(td.getName())))
                .isEqualTo(Status.Code.FAILED_PRECONDITION);
        assertThat(terminate(td.getName()).getState()).isEqualTo(State.STOPPED); // once more
    }

    @Test
    void terminate_whatRuns_isRefused_andWhatIsNotThereIsNotFound() {
        String name = lab.build("busy", 1, GrpcLab.FOR_EVER).getName();
        var _ = start(name);
        assertThat(GrpcLab.reason(GrpcLab.refused(() -> terminate(name)))).isEqualTo("WRONG_STATE");
        assertThat(GrpcLab.code(() -> terminate("trustDomains/nobody")))
                .isEqualTo(Status.Code.NOT_FOUND);
        assertThat(GrpcLab.code(() -> terminate("nobody"))).isEqualTo(Status.Code.INVALID_ARGUMENT);
    }

    @Test
    void terminate_afterAKill_releasesTheKeyId() {
        int free = lab.memory().getKeyIds().getFree();
        String name = lab.build("killed", 1, "idle").getName();
        var _ =
                lab.trustDomains()
                        .killTrustDomain(KillTrustDomainRequest.newBuilder().setName(name).build());
        assertThat(lab.memory().getKeyIds().getFree()).isEqualTo(free - 1);
        assertThat(terminate(name).getKeyId()).isZero();
        assertThat(lab.memory().getKeyIds().getFree()).isEqualTo(free);
    }

    @Test
    void terminate_ofWhatKvmGaveUp_isRefusedAsTheIoctlIs() {
        String name = lab.build("bugged", 1, "accept 0x1000000..0x1001000 4k; halt").getName();
        String fault =
                faults().createFault(
                                CreateFaultRequest.newBuilder()
                                        .setFault(
                                                Fault.newBuilder()
                                                        .setLeaf("TDH.MEM.PAGE.AUG")
                                                        .setStatus("PAGE_NOT_FREE")
                                                        .setNth(1))
                                        .build())
                        .getName();
        var _ = start(name);
        Awaitility.await().until(() -> get(name).getState() == State.FAILED);
        StatusRuntimeException refused = GrpcLab.refused(() -> terminate(name));
        assertThat(refused.getStatus().getCode()).isEqualTo(Status.Code.FAILED_PRECONDITION);
        assertThat(GrpcLab.reason(refused)).isEqualTo("VM_DEAD");
        var _ = faults().deleteFault(DeleteFaultRequest.newBuilder().setName(fault).build());
    }

    @Test
    void delete_thatIsCancelled_stopsThere_andAnotherOneGoesOn() {
        String name = lab.build("half", 1, "accept 0x1000000..0x3000000 4k; halt").getName();
        var _ = start(name);
        Awaitility.await().until(() -> get(name).getProgress().getFinishedVcpus() == 1);
        var _ =
                lab.trustDomains()
                        .stopTrustDomain(
                                dev.seamlab.v1.StopTrustDomainRequest.newBuilder()
                                        .setName(name)
                                        .build());
        // Holds the teardown in its first piece until the cancel has been heard.
        String hold =
                faults().createFault(
                                CreateFaultRequest.newBuilder()
                                        .setFault(
                                                Fault.newBuilder()
                                                        .setLeaf("TDH.PHYMEM.PAGE.RECLAIM")
                                                        .setNth(700)
                                                        .setDelay(Durations.fromSeconds(10)))
                                        .build())
                        .getName();
        Operation operation =
                lab.trustDomains()
                        .deleteTrustDomain(
                                DeleteTrustDomainRequest.newBuilder().setName(name).build());
        Awaitility.await().until(() -> metadata(get(operation)).getPagesLeft() > 1000);
        var _ =
                OperationsGrpc.newBlockingStub(lab.channel())
                        .cancelOperation(
                                CancelOperationRequest.newBuilder()
                                        .setName(operation.getName())
                                        .build());
        var _ = faults().deleteFault(DeleteFaultRequest.newBuilder().setName(hold).build());
        Operation cancelled = lab.finish(operation);
        assertThat(cancelled.getError().getCode())
                .isEqualTo(com.google.rpc.Code.CANCELLED.getNumber());
        TrustDomain half = get(name);
        assertThat(half.getState()).isEqualTo(State.STOPPED);
        assertThat(half.getKeyId()).isZero();
        assertThat(half.getMemory().getPrivatePages()).isPositive();
        lab.expectAudit();
        Operation done = lab.delete(name);
        assertThat(done.hasResponse()).as(done.getError().getMessage()).isTrue();
        assertThat(metadata(done).getPagesLeft()).isZero();
    }

    private Operation get(Operation operation) {
        return OperationsGrpc.newBlockingStub(lab.channel())
                .getOperation(
                        GetOperationRequest.newBuilder().setName(operation.getName()).build());
    }

    private static TrustDomainOperationMetadata metadata(Operation operation) {
        try {
            return operation.getMetadata().unpack(TrustDomainOperationMetadata.class);
        } catch (InvalidProtocolBufferException e) {
            throw new AssertionError(e);
        }
    }

    private FaultsGrpc.FaultsBlockingStub faults() {
        return FaultsGrpc.newBlockingStub(lab.channel());
    }

    private TrustDomain get(String name) {
        return lab.trustDomains()
                .getTrustDomain(GetTrustDomainRequest.newBuilder().setName(name).build());
    }

    private TrustDomain start(String name) {
        return lab.trustDomains()
                .startTrustDomain(StartTrustDomainRequest.newBuilder().setName(name).build());
    }

    private TrustDomain terminate(String name) {
        return lab.trustDomains()
                .terminateTrustDomain(
                        TerminateTrustDomainRequest.newBuilder().setName(name).build());
    }
}
