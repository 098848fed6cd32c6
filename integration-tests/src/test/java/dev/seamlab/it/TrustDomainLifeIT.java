// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.it;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.v1.AuditReport;
import dev.seamlab.v1.ListTrustDomainsRequest;
import dev.seamlab.v1.MemoryReport;
import dev.seamlab.v1.RunAuditRequest;
import dev.seamlab.v1.StartTrustDomainRequest;
import dev.seamlab.v1.StopTrustDomainRequest;
import dev.seamlab.v1.TrustDomain;
import dev.seamlab.v1.TrustDomain.State;
import dev.seamlab.v1.WatchTrustDomainRequest;
import dev.seamlab.v1.WatchTrustDomainResponse;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class TrustDomainLifeIT {
    private static Server server;
    private static MemoryReport atStart;

    @BeforeAll
    static void start() {
        server = Server.start();
        atStart = server.memoryReport();
    }

    @AfterAll
    static void stop() {
        server.close();
    }

    @AfterEach
    void everythingCameBackAndTheAuditorIsContent() {
        assertThat(server.memoryReport()).isEqualTo(atStart);
        AuditReport audit = server.audit().runAudit(RunAuditRequest.getDefaultInstance());
        assertThat(audit.getFindingsList()).isEmpty();
    }

    @Test
    void trustDomain_createdWatchedRunAndDeleted_goesThroughEveryState() {
        TrustDomain created = server.create("life", Server.smallTdRunning("boot-eager"));
        String name = created.getName();
        assertThat(name).isEqualTo("trustDomains/life");
        assertThat(created.getState()).isEqualTo(State.READY);
        assertThat(created.getMrtd().size()).isEqualTo(48);
        assertThat(created.getMemory().getDynamicPamtBytes()).isPositive();

        Iterator<WatchTrustDomainResponse> watch =
                server.trustDomains()
                        .watchTrustDomain(
                                WatchTrustDomainRequest.newBuilder().setName(name).build());
        assertThat(watch.next().getTrustDomain().getState()).isEqualTo(State.READY);

        server.trustDomains()
                .startTrustDomain(StartTrustDomainRequest.newBuilder().setName(name).build());
        TrustDomain last = created;
        while (last.getProgress().getFinishedVcpus() < 1) {
            last = watch.next().getTrustDomain();
            assertThat(last.getState()).isIn(State.READY, State.RUNNING);
        }
        assertThat(last.getProgress().getAcceptedPages()).isPositive();
        assertThat(last.getMemory().getPrivatePages())
                .isGreaterThan(created.getMemory().getPrivatePages());

        MemoryReport running = server.memoryReport();
        assertThat(running.getPamt().getDynamicBytes() % 8192).isZero();
        assertThat(running.getPamt().getDynamicBytes())
                .isEqualTo(last.getMemory().getDynamicPamtBytes());

        // A guest that halted still runs; it has to be stopped before it can be deleted.
        server.trustDomains()
                .stopTrustDomain(StopTrustDomainRequest.newBuilder().setName(name).build());
        List<State> states = new ArrayList<>();
        while (!states.contains(State.STOPPED)) {
            states.add(watch.next().getTrustDomain().getState());
        }
        server.delete(name);
        WatchTrustDomainResponse end = watch.next();
        while (!end.getDeleted()) {
            end = watch.next();
        }
        assertThat(watch.hasNext()).isFalse();
    }

    @Test
    void trustDomain_stoppedWhileItSpins_leavesTheGuest() {
        TrustDomain created =
                server.create("spinner", Server.smallTd("loop 1000000000 { spin 1000 }"));
        server.trustDomains()
                .startTrustDomain(
                        StartTrustDomainRequest.newBuilder().setName(created.getName()).build());
        TrustDomain stopped =
                server.trustDomains()
                        .stopTrustDomain(
                                StopTrustDomainRequest.newBuilder()
                                        .setName(created.getName())
                                        .build());
        assertThat(stopped.getState()).isEqualTo(State.STOPPED);
        server.delete(created.getName());
    }

    @Test
    void hundredTrustDomains_oneAfterTheOther_leaveTheMemoryOfTheStart() {
        for (int i = 0; i < 100; i++) {
            TrustDomain created = server.create("td-" + i, Server.smallTdRunning("boot-lazy"));
            if (i % 10 == 0) {
                server.trustDomains()
                        .startTrustDomain(
                                StartTrustDomainRequest.newBuilder()
                                        .setName(created.getName())
                                        .build());
                server.trustDomains()
                        .stopTrustDomain(
                                StopTrustDomainRequest.newBuilder()
                                        .setName(created.getName())
                                        .build());
            }
            server.delete(created.getName());
            assertThat(server.memoryReport()).isEqualTo(atStart);
        }
        assertThat(
                        server.trustDomains()
                                .listTrustDomains(ListTrustDomainsRequest.getDefaultInstance())
                                .getTrustDomainsList())
                .isEmpty();
    }
}
