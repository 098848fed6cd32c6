// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.events;

import static dev.seamlab.control.GrpcLab.FOR_EVER;
import static dev.seamlab.control.GrpcLab.code;
import static dev.seamlab.control.GrpcLab.field;
import static dev.seamlab.control.GrpcLab.reason;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.google.protobuf.util.Durations;
import dev.seamlab.control.GrpcLab;
import dev.seamlab.v1.Event;
import dev.seamlab.v1.EventsGrpc;
import dev.seamlab.v1.ListEventsRequest;
import dev.seamlab.v1.ListEventsResponse;
import dev.seamlab.v1.SetCpuOnlineRequest;
import dev.seamlab.v1.TrustDomain.State;
import dev.seamlab.v1.WatchEventsRequest;
import dev.seamlab.v1.WatchEventsResponse;
import io.grpc.Context;
import io.grpc.Status;
import io.quarkus.test.junit.QuarkusTest;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Events over real gRPC; each test leaves the host as it found it. */
@QuarkusTest
class EventsServiceTest {
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
    void watch_ofATrustDomain_tellsItsLifeInOrder() {
        Iterator<WatchEventsResponse> watch = watch("subject=trustDomains/lived", "");
        assertThat(watch.next().hasEvent()).as("it begins with a bookmark").isFalse();
        String name = lab.create("lived", FOR_EVER);
        assertThat(lab.start(name).getState()).isEqualTo(State.RUNNING);
        assertThat(lab.stop(name).getState()).isEqualTo(State.STOPPED);
        assertThat(lab.delete(name).getDone()).isTrue();
        List<String> states = new ArrayList<>();
        long last = 0;
        while (!states.contains("DELETED")) {
            WatchEventsResponse message = watch.next();
            if (message.hasEvent()) {
                assertThat(message.getEvent().getType()).isEqualTo(Event.Type.TRUST_DOMAIN_STATE);
                assertThat(message.getEvent().getSequence()).isGreaterThan(last);
                last = message.getEvent().getSequence();
                states.add(message.getEvent().getNewState());
            }
        }
        assertThat(states)
                .containsExactly(
                        "CREATING",
                        "CREATED",
                        "READY",
                        "RUNNING",
                        "STOPPING",
                        "STOPPED",
                        "DELETING",
                        "DELETED");
    }

    @Test
    void watch_resumedAfterDisconnect_missesAndRepeatsNothing() {
        String filter = "type=TRUST_DOMAIN_STATE AND subject=trustDomains/resumed";
        List<WatchEventsResponse> seen = new ArrayList<>();
        Context.CancellableContext call = Context.current().withCancellation();
        call.run(() -> {
            Iterator<WatchEventsResponse> watch = watch(filter, "");
            seen.add(watch.next()); // the bookmark
            assertThat(lab.create("resumed", "idle")).isEqualTo("trustDomains/resumed");
            seen.add(watch.next());
        });
        call.cancel(null);
        assertThat(seen.getLast().getEvent().getNewState()).isEqualTo("CREATING");
        Iterator<WatchEventsResponse> again = watch(filter, seen.getLast().getResumeToken());
        assertThat(again.next().hasEvent()).isFalse();
        WatchEventsResponse next = again.next();
        assertThat(next.getEvent().getNewState()).isEqualTo("CREATED");
        assertThat(next.getDropped()).isZero();
        assertThat(again.next().getEvent().getNewState()).isEqualTo("READY");
    }

    @Test
    void watch_fromTheOldest_beginsWithWhatIsKept() {
        Iterator<WatchEventsResponse> watch = watch("", "0");
        assertThat(watch.next().hasEvent()).isFalse();
        assertThat(watch.next().getEvent()).isEqualTo(list("", 1, "").getEvents(0));
    }

    @Test
    void watch_whereNothingMatches_keepsTheTokenFresh() {
        Iterator<WatchEventsResponse> watch =
                events().watchEvents(
                                WatchEventsRequest.newBuilder()
                                        .setFilter("subject=trustDomains/never")
                                        .setBookmarkInterval(Durations.fromMillis(100))
                                        .build());
        String token = watch.next().getResumeToken();
        assertThat(lab.audit().getFindingsList()).isEmpty();
        WatchEventsResponse bookmark = watch.next();
        while (bookmark.getResumeToken().equals(token)) {
            bookmark = watch.next();
        }
        assertThat(bookmark.hasEvent()).isFalse();
        assertThat(bookmark.getDropped()).isZero();
    }

    @Test
    void watch_askedForInWaysThatAreNone_isRefused() {
        assertThat(field(() -> watch("type=WEDDING", "").next())).isEqualTo("filter");
        assertThat(field(() -> watch("colour=red", "").next())).isEqualTo("filter");
        assertThat(field(() -> watch("type>CPU", "").next())).isEqualTo("filter");
        assertThat(field(() -> watch("", "nonsense").next())).isEqualTo("resume_token");
        assertThat(code(() -> watch("", "0000000g.1").next())).isEqualTo(Status.Code.OUT_OF_RANGE);
        assertThat(reason(() -> watch("", "0000000g.1").next())).isEqualTo("EARLIER_RUN");
        assertThat(
                        field(() ->
                                events().watchEvents(
                                                WatchEventsRequest.newBuilder()
                                                        .setBookmarkInterval(
                                                                Durations.fromMillis(1))
                                                        .build())
                                        .next()))
                .isEqualTo("bookmark_interval");
    }

    @Test
    void watch_whoseClientHangsUp_givesItsPlaceBack() {
        for (int i = 0; i < 2 * EventWatches.MAX; i++) {
            Context.CancellableContext call = Context.current().withCancellation();
            call.run(() -> assertThat(watch("", "").next().hasEvent()).isFalse());
            call.cancel(null);
        }
    }

    @Test
    void watch_withADeadline_endsThere() {
        Iterator<WatchEventsResponse> watch =
                EventsGrpc.newBlockingStub(lab.channel())
                        .withDeadlineAfter(200, TimeUnit.MILLISECONDS)
                        .watchEvents(
                                WatchEventsRequest.newBuilder()
                                        .setFilter("subject=trustDomains/never")
                                        .build());
        assertThat(
                        code(() -> {
                            while (watch.hasNext()) {
                                assertThat(watch.next().hasEvent()).isFalse();
                            }
                            return watch;
                        }))
                .isEqualTo(Status.Code.DEADLINE_EXCEEDED);
    }

    @Test
    void list_hasWhatHappened_ofEachKind() {
        assertThat(list("type=HOST_LOG", 1000, "").getEventsList())
                .anyMatch(event -> event.getText().contains("PAMT"));
        setCpu(1, false);
        setCpu(1, true);
        assertThat(last("subject=cpus/1").getText()).isEqualTo("cpu1 is online");
        assertThat(lab.audit().getFindingsList()).isEmpty();
        assertThat(last("type=AUDIT").getText()).isEqualTo("audit: 0 findings");
        String name = lab.create("noted", "idle");
        String operation = lab.delete(name).getName();
        // Whoever waits for an operation may hear of its end before the log does.
        await().until(() -> last("type=OPERATION").getSubject().equals(operation));
        assertThat(last("type=OPERATION").getText()).isEqualTo("delete of " + name + ": done");
    }

    @Test
    void list_hasWhatAGuestSaidBeforeItFailed() {
        String name = lab.create("failing", "fatal 5 \"no root disk\"");
        assertThat(lab.start(name).getName()).isEqualTo(name);
        Iterator<WatchEventsResponse> watch =
                watch("type=TRUST_DOMAIN_STATE AND subject=" + name, "0");
        String state = "";
        while (!state.equals("FAILED")) {
            state = watch.next().getEvent().getNewState();
        }
        Event said = last("type=GUEST");
        assertThat(said.getSubject()).isEqualTo(name);
        assertThat(said.getText()).contains("fatal error 0x5").contains("no root disk");
    }

    @Test
    void list_pageByPage_whileMoreHappens_repeatsNothing() {
        String name = lab.create("listed", "idle");
        String filter = "subject=" + name;
        ListEventsResponse page = list(filter, 1, "");
        List<Event> seen = new ArrayList<>(page.getEventsList());
        assertThat(lab.delete(name).getDone()).isTrue();
        while (!page.getNextPageToken().isEmpty()) {
            page = list(filter, 1, page.getNextPageToken());
            seen.addAll(page.getEventsList());
        }
        assertThat(seen).isEqualTo(list(filter, 1000, "").getEventsList());
        assertThat(seen.getLast().getNewState()).isEqualTo("DELETED");
    }

    @Test
    void list_askedForInWaysThatAreNone_isRefused() {
        assertThat(field(() -> list("type=WEDDING", 1, ""))).isEqualTo("filter");
        assertThat(field(() -> list("", 1001, ""))).isEqualTo("page_size");
        assertThat(field(() -> list("", 1, "nonsense"))).isEqualTo("page_token");
        String token = list("", 1, "").getNextPageToken();
        assertThat(field(() -> list("type=CPU", 1, token))).isEqualTo("page_token");
    }

    // ------------------------------------------------------------------ helpers

    private EventsGrpc.EventsBlockingStub events() {
        return EventsGrpc.newBlockingStub(lab.channel()).withDeadlineAfter(30, TimeUnit.SECONDS);
    }

    private Iterator<WatchEventsResponse> watch(String filter, String token) {
        Iterator<WatchEventsResponse> watch =
                events().watchEvents(
                                WatchEventsRequest.newBuilder()
                                        .setFilter(filter)
                                        .setResumeToken(token)
                                        .build());
        return watch;
    }

    private ListEventsResponse list(String filter, int size, String token) {
        return events().listEvents(
                        ListEventsRequest.newBuilder()
                                .setFilter(filter)
                                .setPageSize(size)
                                .setPageToken(token)
                                .build());
    }

    private Event last(String filter) {
        return list(filter, 1000, "").getEventsList().getLast();
    }

    private void setCpu(int cpu, boolean online) {
        assertThat(
                        lab.host()
                                .setCpuOnline(
                                        SetCpuOnlineRequest.newBuilder()
                                                .setCpu(cpu)
                                                .setOnline(online)
                                                .build())
                                .getOnline())
                .isEqualTo(online);
    }
}
