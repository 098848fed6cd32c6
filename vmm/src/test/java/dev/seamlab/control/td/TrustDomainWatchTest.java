// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.td;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.seamlab.control.GrpcLab;
import dev.seamlab.control.call.Limits;
import dev.seamlab.v1.TrustDomain.State;
import dev.seamlab.v1.TrustDomainsGrpc;
import dev.seamlab.v1.WaitTrustDomainRequest;
import dev.seamlab.v1.WaitTrustDomainResponse;
import dev.seamlab.v1.WatchTrustDomainRequest;
import dev.seamlab.v1.WatchTrustDomainResponse;
import dev.seamlab.v1.WatchTrustDomainsRequest;
import dev.seamlab.v1.WatchTrustDomainsResponse;
import io.grpc.Context;
import io.grpc.Status;
import io.quarkus.test.junit.QuarkusTest;
import jakarta.inject.Inject;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Who waits for a trust domain or watches it, over real gRPC. */
@QuarkusTest
class TrustDomainWatchTest {
    @ConfigProperty(name = "quarkus.grpc.server.test-port")
    int port;

    @Inject Watches watches;
    @Inject Limits limits;

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
    void watch_fromReadyToTheEnd_tellsEveryStateAndEnds() {
        String name = lab.create("seen", "touch-all");
        Iterator<WatchTrustDomainResponse> watch =
                lab.trustDomains()
                        .watchTrustDomain(
                                WatchTrustDomainRequest.newBuilder().setName(name).build());
        WatchTrustDomainResponse first = watch.next();
        assertThat(first.getTrustDomain().getState()).isEqualTo(State.READY);
        lab.start(name);
        List<State> states = new ArrayList<>(List.of(State.READY));
        WatchTrustDomainResponse last = first;
        while (last.getTrustDomain().getProgress().getFinishedVcpus() == 0) {
            last = watch.next();
            if (states.getLast() != last.getTrustDomain().getState()) {
                states.add(last.getTrustDomain().getState());
            }
        }
        if (lab.get(name).getState() == State.RUNNING) {
            lab.stop(name);
        }
        lab.delete(name);
        while (!last.getDeleted()) {
            last = watch.next();
            if (states.getLast() != last.getTrustDomain().getState()) {
                states.add(last.getTrustDomain().getState());
            }
        }
        assertThat(watch.hasNext()).isFalse();
        assertThat(states)
                .containsSubsequence(State.READY, State.RUNNING, State.STOPPING, State.STOPPED);
    }

    @Test
    void watch_withTheTokenOfTheLastMessage_doesNotRepeatIt() {
        String name = lab.create("resumed", GrpcLab.FOR_EVER);
        String token =
                lab.trustDomains()
                        .watchTrustDomain(
                                WatchTrustDomainRequest.newBuilder().setName(name).build())
                        .next()
                        .getResumeToken();
        Iterator<WatchTrustDomainResponse> again =
                lab.trustDomains()
                        .watchTrustDomain(
                                WatchTrustDomainRequest.newBuilder()
                                        .setName(name)
                                        .setResumeToken(token)
                                        .build());
        lab.start(name);
        assertThat(again.next().getTrustDomain().getState()).isEqualTo(State.RUNNING);
    }

    @Test
    void watchAll_tellsWhatComesAndGoes() {
        Iterator<WatchTrustDomainsResponse> watch =
                lab.trustDomains().watchTrustDomains(WatchTrustDomainsRequest.getDefaultInstance());
        String name = lab.create("comes", "idle");
        WatchTrustDomainsResponse change = watch.next();
        while (!change.hasTrustDomain()) {
            change = watch.next(); // there was nothing to tell at first
        }
        assertThat(change.getTrustDomain().getName()).isEqualTo(name);
        lab.delete(name);
        while (!change.getDeleted()) {
            change = watch.next();
        }
        assertThat(change.getTrustDomain().getName()).isEqualTo(name);
    }

    @Test
    void watch_whoseClientHangsUp_givesItsPlaceBack() {
        String name = lab.create("left", GrpcLab.FOR_EVER);
        for (int i = 0; i < 2 * limits.watches(); i++) {
            Context.CancellableContext call = Context.current().withCancellation();
            call.run(() ->
                    lab.trustDomains()
                            .watchTrustDomain(
                                    WatchTrustDomainRequest.newBuilder().setName(name).build())
                            .next());
            call.cancel(null);
            // The server hears of it a little later; without this, a quick client is refused.
            await().pollDelay(Duration.ZERO)
                    .pollInterval(Duration.ofMillis(2))
                    .until(() -> watches.open() < limits.watches() / 2);
        }
    }

    @Test
    void wait_forTheEndOfAGuest_returnsWhenAllVcpusAreThrough() {
        String name = lab.build("short", "accept 12m..13m; halt").getName();
        lab.start(name);
        WaitTrustDomainResponse through =
                lab.trustDomains()
                        .waitTrustDomain(
                                WaitTrustDomainRequest.newBuilder()
                                        .setName(name)
                                        .setFinished(true)
                                        .addStates(State.STOPPED)
                                        .build());
        assertThat(through.getDeleted()).isFalse();
        assertThat(through.getTrustDomain().getProgress().getFinishedVcpus()).isEqualTo(1);
        assertThat(through.getTrustDomain().getProgress().getAcceptedPages()).isEqualTo(256);
    }

    @Test
    void wait_forTheDelete_returnsWhenItIsGone() throws Exception {
        String name = lab.create("leaving", GrpcLab.FOR_EVER);
        var waiting =
                TrustDomainsGrpc.newFutureStub(lab.channel())
                        .waitTrustDomain(WaitTrustDomainRequest.newBuilder().setName(name).build());
        await().until(() -> watches.open() > 0);
        lab.delete(name);
        assertThat(waiting.get(30, TimeUnit.SECONDS).getDeleted()).isTrue();
    }

    @Test
    void wait_pastItsDeadline_endsThere() {
        String name = lab.create("patient", GrpcLab.FOR_EVER);
        assertThat(
                        GrpcLab.code(() ->
                                TrustDomainsGrpc.newBlockingStub(lab.channel())
                                        .withDeadlineAfter(50, TimeUnit.MILLISECONDS)
                                        .waitTrustDomain(
                                                WaitTrustDomainRequest.newBuilder()
                                                        .setName(name)
                                                        .addStates(State.RUNNING)
                                                        .build())))
                .isEqualTo(Status.Code.DEADLINE_EXCEEDED);
        assertThat(lab.get(name).getState()).isEqualTo(State.READY);
    }
}
