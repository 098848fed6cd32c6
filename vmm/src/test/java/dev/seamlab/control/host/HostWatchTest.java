// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.host;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.util.Durations;
import dev.seamlab.control.GrpcLab;
import dev.seamlab.control.events.EventLog;
import dev.seamlab.v1.Event;
import dev.seamlab.v1.HostGrpc;
import dev.seamlab.v1.HostStatus;
import dev.seamlab.v1.SetCpuOnlineRequest;
import dev.seamlab.v1.WatchHostRequest;
import dev.seamlab.v1.WatchHostResponse;
import io.grpc.Context;
import io.grpc.Status;
import io.quarkus.test.junit.QuarkusTest;
import jakarta.inject.Inject;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Watches over the host, over real gRPC. */
@QuarkusTest
class HostWatchTest {
    private static final int CPU = 1;

    @ConfigProperty(name = "quarkus.grpc.server.test-port")
    int port;

    @Inject EventLog log;

    private GrpcLab lab;
    private final Context.CancellableContext context = Context.current().withCancellation();

    @BeforeEach
    void connect() {
        lab = new GrpcLab(port);
    }

    @AfterEach
    void everythingIsAsBefore() {
        context.cancel(null);
        lab.close();
    }

    @Test
    void watch_fromNow_tellsWhatIsInUse_andEachChange() {
        Iterator<WatchHostResponse> watch = watch("");
        WatchHostResponse first = watch.next();
        assertThat(first.getResumeToken()).isNotEmpty();
        assertThat(first.getStatus().getKeyIds().getTotal()).isPositive();
        assertThat(first.getStatus().getOfflineCpusList()).isEmpty();
        int used = first.getStatus().getKeyIds().getUsed();
        int there = first.getStatus().getTrustDomainCount();

        String name = lab.create("in-use", "idle");
        HostStatus busy = status(watch, now -> now.getKeyIds().getUsed() == used + 1);
        assertThat(busy.getTrustDomainCount()).isEqualTo(there + 1);
        assertThat(busy.getFreeBytes()).isLessThan(first.getStatus().getFreeBytes());
        assertThat(lab.delete(name).getDone()).isTrue();
        HostStatus idle = status(watch, now -> now.getTrustDomainCount() == there);
        assertThat(idle.getKeyIds()).isEqualTo(first.getStatus().getKeyIds());
    }

    @Test
    void watch_whileACpuGoesOffline_tellsTheEvent_andThenTheCpusThatAre() {
        Iterator<WatchHostResponse> watch = watch("");
        assertThat(watch.next().hasStatus()).isTrue();
        setCpu(false);
        WatchHostResponse event = next(watch, WatchHostResponse::hasEvent);
        assertThat(event.getEvent().getType()).isEqualTo(Event.Type.CPU);
        assertThat(event.getEvent().getSubject()).isEqualTo("cpus/" + CPU);
        assertThat(status(watch, now -> now.getOfflineCpusCount() > 0).getOfflineCpusList())
                .containsExactly(CPU);
        setCpu(true);
        assertThat(status(watch, now -> now.getOfflineCpusCount() == 0)).isNotNull();
    }

    @Test
    void watch_thatComesBack_hearsTheHostsEventsOfMeanwhile_inOrder() {
        Iterator<WatchHostResponse> watch = watch("");
        String token = watch.next().getResumeToken();
        context.cancel(null);
        setCpu(false);
        setCpu(true);
        String name = lab.create("not-the-hosts", "idle");
        assertThat(lab.delete(name).getDone()).isTrue();
        assertThat(lab.audit().getFindingsList()).isEmpty();

        Context.CancellableContext again = Context.current().withCancellation();
        try {
            Iterator<WatchHostResponse> back = watch(again, token);
            List<Event> events = new ArrayList<>();
            WatchHostResponse message = back.next();
            for (; message.hasEvent(); message = back.next()) {
                events.add(message.getEvent());
            }
            assertThat(message.hasStatus()).as("what is in use follows").isTrue();
            assertThat(events)
                    .filteredOn(event -> event.getType() != Event.Type.HOST_LOG)
                    .extracting(Event::getType)
                    .containsExactly(Event.Type.CPU, Event.Type.CPU, Event.Type.AUDIT);
        } finally {
            again.cancel(null);
        }
    }

    @Test
    void tokens_thatLeadNowhere_areRefusedAsForAllWatches() {
        String token = watch("").next().getResumeToken();
        for (int i = 0; i < 5_000; i++) {
            log.append(Event.Type.OPERATION, "operations/none-" + i, "nothing");
        }
        assertThat(GrpcLab.code(() -> watch(token).next())).isEqualTo(Status.Code.OUT_OF_RANGE);
        assertThat(GrpcLab.reason(() -> watch(token).next())).isEqualTo("TOKEN_EXPIRED");
        assertThat(GrpcLab.reason(() -> watch("00000000.1").next())).isEqualTo("EARLIER_RUN");
        assertThat(GrpcLab.field(() -> watch("nonsense").next())).isEqualTo("resume_token");
    }

    // ------------------------------------------------------------------ helpers

    private Iterator<WatchHostResponse> watch(String token) {
        return watch(context, token);
    }

    private Iterator<WatchHostResponse> watch(Context within, String token) {
        Context before = within.attach();
        try {
            return HostGrpc.newBlockingStub(lab.channel())
                    .withDeadlineAfter(60, TimeUnit.SECONDS)
                    .watchHost(
                            WatchHostRequest.newBuilder()
                                    .setResumeToken(token)
                                    .setInterval(Durations.fromMillis(100))
                                    .build());
        } finally {
            within.detach(before);
        }
    }

    private static WatchHostResponse next(
            Iterator<WatchHostResponse> watch, Predicate<WatchHostResponse> wanted) {
        WatchHostResponse message = watch.next();
        while (!wanted.test(message)) {
            message = watch.next();
        }
        return message;
    }

    private static HostStatus status(
            Iterator<WatchHostResponse> watch, Predicate<HostStatus> wanted) {
        return next(watch, message -> message.hasStatus() && wanted.test(message.getStatus()))
                .getStatus();
    }

    private void setCpu(boolean online) {
        assertThat(
                        lab.host()
                                .setCpuOnline(
                                        SetCpuOnlineRequest.newBuilder()
                                                .setCpu(CPU)
                                                .setOnline(online)
                                                .build())
                                .getOnline())
                .isEqualTo(online);
    }
}
