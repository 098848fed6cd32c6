// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.it;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.google.longrunning.Operation;
import dev.seamlab.v1.CreateTrustDomainRequest;
import dev.seamlab.v1.GetHostRequest;
import dev.seamlab.v1.StartTrustDomainRequest;
import dev.seamlab.v1.TrustDomain;
import dev.seamlab.v1.WatchTrustDomainsRequest;
import dev.seamlab.v1.WatchTrustDomainsResponse;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The way out. */
class ShutdownIT {
    /** Long enough to be under way when the server is told to end. */
    private static final long LARGE = 4L << 30;

    @Test
    void terminate_withWorkUnderWay_saysSoEndsStreamsAndTearsEverythingDown() throws Exception {
        Server server = Server.start();
        TrustDomain running = server.create("running", Server.smallTdRunning("idle"));
        server.trustDomains()
                .startTrustDomain(
                        StartTrustDomainRequest.newBuilder().setName(running.getName()).build());
        Iterator<WatchTrustDomainsResponse> watch =
                server.trustDomains()
                        .watchTrustDomains(WatchTrustDomainsRequest.getDefaultInstance());
        assertThat(watch.next().getTrustDomain().getName()).isEqualTo(running.getName());
        Iterator<HealthCheckResponse> health =
                HealthGrpc.newBlockingStub(server.channel())
                        .watch(HealthCheckRequest.getDefaultInstance());
        assertThat(health.next().getStatus()).isEqualTo(ServingStatus.SERVING);
        List<Operation> begun = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            begun.add(
                    server.trustDomains()
                            .createTrustDomain(
                                    CreateTrustDomainRequest.newBuilder()
                                            .setTrustDomainId("late-" + i)
                                            .setTrustDomain(
                                                    Server.smallTdRunning("idle")
                                                            .setMemoryBytes(LARGE))
                                            .build()));
        }
        assertThat(begun).hasSize(8);

        server.terminate();
        assertThat(health.next().getStatus()).isEqualTo(ServingStatus.NOT_SERVING);
        while (watch.hasNext()) {
            watch.next(); // what was on the way; then the stream ends in good order
        }
        assertThat(
                        catchThrowableOfType(
                                        StatusRuntimeException.class,
                                        () ->
                                                server.host()
                                                        .getHost(
                                                                GetHostRequest
                                                                        .getDefaultInstance()))
                                .getStatus()
                                .getCode())
                .isEqualTo(Code.UNAVAILABLE);
        server.awaitEnd();
        assertThat(server.log()).contains("audit: 0 findings").doesNotContain("did not end ");
        server.close();
    }
}
