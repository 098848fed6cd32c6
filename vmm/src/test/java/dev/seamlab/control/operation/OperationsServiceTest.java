// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.operation;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.longrunning.CancelOperationRequest;
import com.google.longrunning.DeleteOperationRequest;
import com.google.longrunning.GetOperationRequest;
import com.google.longrunning.ListOperationsRequest;
import com.google.longrunning.Operation;
import com.google.longrunning.WaitOperationRequest;
import dev.seamlab.control.GrpcLab;
import io.grpc.Status;
import io.quarkus.test.junit.QuarkusTest;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Operations as such, over real gRPC. */
@QuarkusTest
class OperationsServiceTest {
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
    void operations_listedWaitedCancelledAndDeleted_behave() {
        Operation create =
                lab.finish(lab.trustDomains().createTrustDomain(GrpcLab.request("op", "idle")));
        assertThat(
                        lab.operations()
                                .listOperations(
                                        ListOperationsRequest.newBuilder()
                                                .setPageSize(1000)
                                                .build())
                                .getOperationsList())
                .contains(create);
        assertThat(
                        lab.operations()
                                .getOperation(
                                        GetOperationRequest.newBuilder()
                                                .setName(create.getName())
                                                .build()))
                .isEqualTo(create);
        lab.operations()
                .cancelOperation(
                        CancelOperationRequest.newBuilder().setName(create.getName()).build());
        lab.operations()
                .deleteOperation(
                        DeleteOperationRequest.newBuilder().setName(create.getName()).build());
        assertThat(
                        GrpcLab.code(() ->
                                lab.operations()
                                        .getOperation(
                                                GetOperationRequest.newBuilder()
                                                        .setName(create.getName())
                                                        .build())))
                .isEqualTo(Status.Code.NOT_FOUND);
        assertThat(
                        GrpcLab.code(() ->
                                lab.operations()
                                        .waitOperation(
                                                WaitOperationRequest.newBuilder()
                                                        .setName("nonsense")
                                                        .build())))
                .isEqualTo(Status.Code.INVALID_ARGUMENT);
    }
}
