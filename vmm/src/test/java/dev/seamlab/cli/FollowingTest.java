// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.v1.HostGrpc;
import dev.seamlab.v1.HostStatus;
import dev.seamlab.v1.TrustDomain;
import dev.seamlab.v1.TrustDomainsGrpc;
import dev.seamlab.v1.WatchHostRequest;
import dev.seamlab.v1.WatchHostResponse;
import dev.seamlab.v1.WatchTrustDomainsRequest;
import dev.seamlab.v1.WatchTrustDomainsResponse;
import io.grpc.BindableService;
import io.grpc.InsecureServerCredentials;
import io.grpc.Server;
import io.grpc.Status;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/** Commands that follow a stream of a server whose connections do not last. */
class FollowingTest {
    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();
    private final List<String> tokens = new ArrayList<>();

    private int run(BindableService service, String... args) throws IOException {
        Server server =
                NettyServerBuilder.forAddress(
                                new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
                                InsecureServerCredentials.create())
                        .addService(service)
                        .build()
                        .start();
        try {
            List<String> all = new ArrayList<>(List.of(args));
            all.add("--server=127.0.0.1:" + server.getPort());
            return Seamlab.commandLine()
                    .setOut(new PrintWriter(out, true))
                    .setErr(new PrintWriter(err, true))
                    .execute(all.toArray(String[]::new));
        } finally {
            server.shutdownNow();
        }
    }

    /** What one call is answered with. */
    private interface Part extends Consumer<StreamObserver<WatchTrustDomainsResponse>> {}

    /** Answers each call with the next part of a script. */
    private TrustDomainsGrpc.TrustDomainsImplBase script(Part... parts) {
        Deque<Part> left = new ArrayDeque<>(List.of(parts));
        return new TrustDomainsGrpc.TrustDomainsImplBase() {
            @Override
            public void watchTrustDomains(
                    WatchTrustDomainsRequest request,
                    StreamObserver<WatchTrustDomainsResponse> answers) {
                tokens.add(request.getResumeToken());
                left.remove().accept(answers);
            }
        };
    }

    private static WatchTrustDomainsResponse change(String id, String token) {
        return WatchTrustDomainsResponse.newBuilder()
                .setTrustDomain(TrustDomain.newBuilder().setName("trustDomains/" + id))
                .setResumeToken(token)
                .build();
    }

    @Test
    void tdWatch_whoseConnectionDrops_goesOnBehindTheLastToken() throws IOException {
        int code =
                run(
                        script(
                                answers -> {
                                    answers.onNext(change("first", ""));
                                    answers.onNext(
                                            WatchTrustDomainsResponse.newBuilder()
                                                    .setResumeToken("run.1")
                                                    .build());
                                    answers.onNext(change("second", "run.2"));
                                    answers.onError(Status.UNAVAILABLE.asRuntimeException());
                                },
                                answers -> answers.onError(Status.UNAVAILABLE.asRuntimeException()),
                                answers -> {
                                    answers.onNext(change("third", "run.3"));
                                    answers.onCompleted();
                                }),
                        "td",
                        "watch");
        assertThat(code).as(err.toString()).isZero();
        assertThat(tokens).containsExactly("", "run.2", "run.2");
        assertThat(out.toString().lines().map(line -> line.substring(0, line.indexOf(' '))))
                .containsExactly("first", "second", "third");
        assertThat(err.toString().lines()).singleElement().asString().contains("cut off");
    }

    @Test
    void tdWatch_whoseTokenHasExpired_saysSo_andBeginsWithThePresent() throws IOException {
        int code =
                run(
                        script(
                                answers -> {
                                    answers.onNext(change("first", "run.1"));
                                    answers.onError(Status.UNAVAILABLE.asRuntimeException());
                                },
                                answers ->
                                        answers.onError(Status.OUT_OF_RANGE.asRuntimeException()),
                                answers -> {
                                    answers.onNext(change("second", ""));
                                    answers.onCompleted();
                                }),
                        "td",
                        "watch");
        assertThat(code).as(err.toString()).isZero();
        assertThat(tokens).containsExactly("", "run.1", "");
        assertThat(err.toString()).contains("missed");
    }

    @Test
    void tdWatch_thatIsRefused_endsAtOnce() throws IOException {
        assertThat(
                        run(
                                script(answers ->
                                        answers.onError(
                                                Status.PERMISSION_DENIED.asRuntimeException())),
                                "td",
                                "watch"))
                .isEqualTo(ExitCodes.REFUSED);
        assertThat(tokens).hasSize(1);
    }

    @Test
    void hostWatch_whoseConnectionDrops_goesOnBehindTheLastToken() throws IOException {
        int code =
                run(
                        new HostGrpc.HostImplBase() {
                            @Override
                            public void watchHost(
                                    WatchHostRequest request,
                                    StreamObserver<WatchHostResponse> answers) {
                                tokens.add(request.getResumeToken());
                                answers.onNext(
                                        WatchHostResponse.newBuilder()
                                                .setStatus(
                                                        HostStatus.newBuilder()
                                                                .setTrustDomainCount(tokens.size()))
                                                .setResumeToken("run." + tokens.size())
                                                .build());
                                if (tokens.size() == 1) {
                                    answers.onError(Status.UNAVAILABLE.asRuntimeException());
                                } else {
                                    answers.onCompleted();
                                }
                            }
                        },
                        "host",
                        "watch");
        assertThat(code).as(err.toString()).isZero();
        assertThat(tokens).containsExactly("", "run.1");
        assertThat(out.toString()).contains("1 trust domains", "2 trust domains");
    }

    @Test
    void watch_withNoServerAtAll_saysHowToGetOne() {
        int code =
                Seamlab.commandLine()
                        .setOut(new PrintWriter(out, true))
                        .setErr(new PrintWriter(err, true))
                        .execute("td", "watch", "--server=127.0.0.1:1");
        assertThat(code).isEqualTo(ExitCodes.UNREACHABLE);
        assertThat(err.toString()).contains("seamlab serve");
    }
}
