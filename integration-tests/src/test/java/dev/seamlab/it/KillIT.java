// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.it;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.v1.MemoryReport;
import dev.seamlab.v1.RunAuditRequest;
import dev.seamlab.v1.StartTrustDomainRequest;
import dev.seamlab.v1.TrustDomain;
import io.grpc.StatusRuntimeException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;

/** A server that is killed leaves nothing behind that a new one would meet. */
class KillIT {
    private static final int CLIENTS = 4;

    @Test
    void kill_underLoad_thenStart_isACleanHostWithoutFindings() throws InterruptedException {
        MemoryReport fresh;
        try (Server server = Server.start()) {
            fresh = server.memoryReport();
        }
        Server victim = Server.start();
        CountDownLatch warm = new CountDownLatch(3 * CLIENTS);
        List<Thread> clients = new ArrayList<>();
        for (int i = 0; i < CLIENTS; i++) {
            String id = "load-" + i;
            clients.add(Thread.ofVirtual().start(() -> loadUntilItDies(victim, id, warm)));
        }
        warm.await();
        victim.kill();
        for (Thread client : clients) {
            client.join(); // each ended because its server was gone
        }
        victim.close();

        try (Server next = Server.start()) {
            assertThat(next.memoryReport()).isEqualTo(fresh);
            TrustDomain td = next.create("after", Server.smallTdRunning("idle"));
            next.delete(td.getName());
            assertThat(
                            next.audit()
                                    .runAudit(RunAuditRequest.getDefaultInstance())
                                    .getFindingsList())
                    .isEmpty();
            assertThat(next.memoryReport()).isEqualTo(fresh);
        }
    }

    private static void loadUntilItDies(Server server, String id, CountDownLatch cycles) {
        try {
            while (true) {
                String name = server.create(id, Server.smallTdRunning("idle")).getName();
                server.trustDomains()
                        .startTrustDomain(
                                StartTrustDomainRequest.newBuilder().setName(name).build());
                server.stop(name);
                server.delete(name);
                cycles.countDown();
            }
        } catch (StatusRuntimeException gone) {
            // As expected: nobody answers any more.
        }
    }
}
