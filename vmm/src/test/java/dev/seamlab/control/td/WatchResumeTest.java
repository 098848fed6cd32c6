// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.td;

import static dev.seamlab.control.GrpcLab.FOR_EVER;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.FieldMask;
import dev.seamlab.control.GrpcLab;
import dev.seamlab.control.events.EventLog;
import dev.seamlab.v1.Event;
import dev.seamlab.v1.ListTrustDomainsRequest;
import dev.seamlab.v1.TrustDomain;
import dev.seamlab.v1.TrustDomain.State;
import dev.seamlab.v1.TrustDomainsGrpc;
import dev.seamlab.v1.UpdateTrustDomainRequest;
import dev.seamlab.v1.WatchTrustDomainsRequest;
import dev.seamlab.v1.WatchTrustDomainsResponse;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.Context;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.netty.NegotiationType;
import io.grpc.netty.NettyChannelBuilder;
import io.quarkus.test.junit.QuarkusTest;
import jakarta.inject.Inject;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.awaitility.Awaitility;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Watches over all trust domains that are cut off and come back. */
@QuarkusTest
class WatchResumeTest {
    @ConfigProperty(name = "quarkus.grpc.server.test-port")
    int port;

    @Inject EventLog log;

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
    void watch_fromNowhere_tellsAllThatIsThere_andThenWhereItCanGoOn() {
        String one = lab.create("one", "idle");
        String two = lab.create("two", "idle");
        try (Watch watch = new Watch("")) {
            List<WatchTrustDomainsResponse> first = watch.untilBookmark();
            assertThat(names(first)).containsExactlyInAnyOrder(one, two);
            assertThat(first.subList(0, 2))
                    .allSatisfy(message -> assertThat(message.getResumeToken()).isEmpty());
            assertThat(first.getLast().getResumeToken()).isNotEmpty();
        }
    }

    @Test
    void watch_thatComesBack_hearsWhatHappenedMeanwhile_andNothingElse() {
        String quiet = lab.create("quiet", "idle");
        String gone = lab.create("gone", "idle");
        String moved = lab.create("moved", FOR_EVER);
        String named = lab.create("named", "idle");
        String again = lab.create("again", "idle");
        String token;
        try (Watch watch = new Watch("")) {
            token = watch.untilBookmark().getLast().getResumeToken();
        }
        assertThat(lab.delete(gone).getDone()).isTrue();
        assertThat(lab.start(moved).getState()).isEqualTo(State.RUNNING);
        rename(named, "front end");
        assertThat(lab.delete(again).getDone()).isTrue();
        assertThat(lab.create("again", FOR_EVER)).isEqualTo(again);
        String fresh = lab.create("fresh", "idle");
        try (Watch watch = new Watch(token)) {
            List<WatchTrustDomainsResponse> heard = watch.untilBookmark();
            assertThat(names(heard))
                    .contains(gone, moved, named, again, fresh)
                    .doesNotContain(quiet);
            assertThat(last(heard, gone).getDeleted()).isTrue();
            assertThat(last(heard, moved).getTrustDomain().getState()).isEqualTo(State.RUNNING);
            assertThat(last(heard, named).getTrustDomain().getDisplayName()).isEqualTo("front end");
            assertThat(last(heard, fresh).getDeleted()).isFalse();
            List<WatchTrustDomainsResponse> both =
                    heard.stream()
                            .filter(message -> message.getTrustDomain().getName().equals(again))
                            .toList();
            assertThat(both.getFirst().getDeleted()).as("the first of this name").isTrue();
            assertThat(both.getLast().getDeleted()).as("the second of this name").isFalse();
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2})
    void watch_cutOffAgainAndAgain_endsWithTheTruth(long seed) {
        Random random = new Random(seed);
        Map<String, String> known = new TreeMap<>();
        String token = "";
        Watch watch = new Watch(token);
        try {
            for (int step = 0; step < 40; step++) {
                change("td-" + random.nextInt(4), random.nextInt(4), step);
                if (random.nextInt(3) == 0) {
                    token = watch.take(known, token);
                    watch.close();
                    if (random.nextInt(4) == 0) {
                        change("td-" + random.nextInt(4), random.nextInt(4), step);
                    }
                    watch = new Watch(token);
                }
            }
            Map<String, String> truth =
                    lab
                            .trustDomains()
                            .listTrustDomains(ListTrustDomainsRequest.getDefaultInstance())
                            .getTrustDomainsList()
                            .stream()
                            .collect(Collectors.toMap(TrustDomain::getName, Watch::digest));
            Watch end = watch;
            Awaitility.await()
                    .atMost(Duration.ofSeconds(60))
                    .untilAsserted(() -> {
                        String ignored = end.take(known, "");
                        assertThat(ignored).isNotNull();
                        assertThat(known).isEqualTo(truth);
                    });
        } finally {
            watch.close();
        }
    }

    /** Makes one step with a trust domain that may or may not be there. */
    private void change(String id, int what, int step) {
        String name = "trustDomains/" + id;
        boolean there =
                lab
                        .trustDomains()
                        .listTrustDomains(ListTrustDomainsRequest.getDefaultInstance())
                        .getTrustDomainsList()
                        .stream()
                        .anyMatch(td -> td.getName().equals(name));
        if (!there) {
            assertThat(lab.create(id, "idle")).isEqualTo(name);
        } else if (what == 0) {
            if (lab.get(name).getState() == State.RUNNING) {
                assertThat(lab.stop(name).getState()).isEqualTo(State.STOPPED);
            }
            assertThat(lab.delete(name).getDone()).isTrue();
        } else if (what == 1 && lab.get(name).getState() == State.READY) {
            assertThat(lab.start(name).getState()).isEqualTo(State.RUNNING);
        } else {
            rename(name, "step " + step);
        }
    }

    @Test
    void token_afterWhichMoreHappenedThanIsKept_isOutOfRange() {
        String token;
        try (Watch watch = new Watch("")) {
            token = watch.untilBookmark().getLast().getResumeToken();
        }
        for (int i = 0; i < 5_000; i++) {
            log.append(Event.Type.HOST_LOG, "", "line " + i);
        }
        assertThat(GrpcLab.code(() -> begin(token))).isEqualTo(Status.Code.OUT_OF_RANGE);
        assertThat(GrpcLab.reason(() -> begin(token))).isEqualTo("TOKEN_EXPIRED");
    }

    @Test
    void token_ofAnotherRun_isOutOfRange_andOneThatIsNoneABadArgument() {
        assertThat(GrpcLab.code(() -> begin("00000000.1"))).isEqualTo(Status.Code.OUT_OF_RANGE);
        assertThat(GrpcLab.reason(() -> begin("00000000.1"))).isEqualTo("EARLIER_RUN");
        assertThat(GrpcLab.field(() -> begin("nonsense"))).isEqualTo("resume_token");
    }

    @Test
    void aWatcherThatDoesNotRead_hearsTheNewestAtLast_andOnlyAFractionOfTheRest() throws Exception {
        String name = lab.create("slow", "idle");
        ManagedChannel narrow =
                NettyChannelBuilder.forAddress("127.0.0.1", port)
                        .negotiationType(NegotiationType.PLAINTEXT)
                        .flowControlWindow(65_535)
                        .build();
        try {
            SlowReader reader = new SlowReader(narrow);
            reader.call.request(1);
            Awaitility.await().until(() -> !reader.heard.isEmpty());
            String padding = "x".repeat(900);
            int changes = 1_500;
            for (int i = 0; i < changes; i++) {
                label(name, "v" + i, padding);
            }
            reader.call.request(Integer.MAX_VALUE);
            String newest = "v" + (changes - 1);
            Awaitility.await()
                    .atMost(Duration.ofSeconds(60))
                    .until(() ->
                            reader.heard.stream()
                                    .anyMatch(message ->
                                            message.getTrustDomain()
                                                    .getDisplayName()
                                                    .equals(newest)));
            assertThat(reader.heard).hasSizeLessThan(changes / 2);
        } finally {
            narrow.shutdownNow();
        }
    }

    // ------------------------------------------------------------------ helpers

    private void rename(String name, String displayName) {
        label(name, displayName, "");
    }

    private void label(String name, String displayName, String label) {
        TrustDomain.Builder wanted =
                TrustDomain.newBuilder().setName(name).setDisplayName(displayName);
        for (int at = 0; at < label.length(); at += 60) {
            wanted.putLabels("pad-" + at, label.substring(at, Math.min(label.length(), at + 60)));
        }
        TrustDomain now =
                lab.trustDomains()
                        .updateTrustDomain(
                                UpdateTrustDomainRequest.newBuilder()
                                        .setTrustDomain(wanted)
                                        .setUpdateMask(
                                                FieldMask.newBuilder()
                                                        .addPaths("display_name")
                                                        .addPaths("labels"))
                                        .build());
        assertThat(now.getDisplayName()).isEqualTo(displayName);
    }

    private WatchTrustDomainsResponse begin(String token) {
        return lab.trustDomains()
                .watchTrustDomains(
                        WatchTrustDomainsRequest.newBuilder().setResumeToken(token).build())
                .next();
    }

    private static List<String> names(List<WatchTrustDomainsResponse> messages) {
        return messages.stream()
                .filter(WatchTrustDomainsResponse::hasTrustDomain)
                .map(message -> message.getTrustDomain().getName())
                .distinct()
                .toList();
    }

    private static WatchTrustDomainsResponse last(
            List<WatchTrustDomainsResponse> messages, String name) {
        return messages.stream()
                .filter(message -> message.getTrustDomain().getName().equals(name))
                .reduce((_, later) -> later)
                .orElseThrow();
    }

    /** A watch that can be cut off. */
    private final class Watch implements AutoCloseable {
        private final Context.CancellableContext context = Context.current().withCancellation();
        private final Iterator<WatchTrustDomainsResponse> messages;

        Watch(String token) {
            Context before = context.attach();
            try {
                messages =
                        TrustDomainsGrpc.newBlockingStub(lab.channel())
                                .withDeadlineAfter(120, TimeUnit.SECONDS)
                                .watchTrustDomains(
                                        WatchTrustDomainsRequest.newBuilder()
                                                .setResumeToken(token)
                                                .build());
            } finally {
                context.detach(before);
            }
        }

        /** Everything up to the next bookmark, which is the last. */
        List<WatchTrustDomainsResponse> untilBookmark() {
            List<WatchTrustDomainsResponse> heard = new ArrayList<>();
            do {
                heard.add(messages.next());
            } while (heard.getLast().hasTrustDomain());
            return heard;
        }

        /** Takes a few messages in, up to the next bookmark, and returns the last token. */
        String take(Map<String, String> known, String before) {
            String token = before;
            for (WatchTrustDomainsResponse message : untilBookmark()) {
                token = message.getResumeToken().isEmpty() ? token : message.getResumeToken();
                String name = message.getTrustDomain().getName();
                if (message.getDeleted()) {
                    known.remove(name);
                } else if (message.hasTrustDomain()) {
                    known.put(name, digest(message.getTrustDomain()));
                }
            }
            return token;
        }

        static String digest(TrustDomain td) {
            return td.getState() + " " + td.getDisplayName() + " " + td.getCreateTime();
        }

        @Override
        public void close() {
            context.cancel(null);
        }
    }

    /** A watch that reads only what is asked for. */
    private static final class SlowReader extends ClientCall.Listener<WatchTrustDomainsResponse> {
        private final ClientCall<WatchTrustDomainsRequest, WatchTrustDomainsResponse> call;
        private final Queue<WatchTrustDomainsResponse> heard = new ConcurrentLinkedQueue<>();

        SlowReader(ManagedChannel channel) {
            call =
                    channel.newCall(
                            TrustDomainsGrpc.getWatchTrustDomainsMethod(), CallOptions.DEFAULT);
            call.start(this, new Metadata());
            call.sendMessage(WatchTrustDomainsRequest.getDefaultInstance());
            call.halfClose();
        }

        @Override
        public void onMessage(WatchTrustDomainsResponse message) {
            heard.add(message);
        }
    }
}
