// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.it;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.seamlab.it.Application.Result;
import dev.seamlab.v1.GetHostRequest;
import dev.seamlab.v1.HostGrpc;
import dev.seamlab.v1.SeamcallRequest;
import dev.seamlab.v1.SetCpuOnlineRequest;
import io.grpc.ChannelCredentials;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import io.grpc.TlsChannelCredentials;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthGrpc;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Who gets in. */
class SecurityIT {
    private static final int BAD_INPUT = 2;
    private static final int REFUSED = 3;
    private static final int UNREACHABLE = 5;
    private static final String VIEWER = "viewer-0123456789";
    private static final String OPERATOR = "operator-0123456789";

    @TempDir Path folder;

    @Test
    void mutualTlsAndTokens_letInWhoHasBothAndTurnAwayEverybodyElse() throws Exception {
        Certificates host = Certificates.make(folder, "host");
        Certificates friend = Certificates.make(folder, "friend");
        Certificates stranger = Certificates.make(folder, "stranger");
        try (Server server =
                Server.start(
                        tls(host, friend),
                        OPERATOR,
                        "--tls-cert=" + host.certificate(),
                        "--tls-key=" + host.key(),
                        "--tls-client-ca=" + friend.certificate(),
                        "--token-file=" + tokens())) {
            // Both: the role decides.
            assertThat(host(server)).isNotNull();
            server.delete(server.create("mine", Server.smallTdRunning("idle")).getName());
            assertThat(code(() -> server.seamcalls().call(SeamcallRequest.getDefaultInstance())))
                    .isEqualTo(Code.PERMISSION_DENIED);

            // A good certificate and no token.
            assertThat(code(() -> getHost(server, tls(host, friend))))
                    .isEqualTo(Code.UNAUTHENTICATED);
            assertThat(code(() -> health(server, tls(host, friend))))
                    .isEqualTo(Code.UNAUTHENTICATED);
            // No certificate, one of a stranger, no TLS at all.
            assertThat(code(() -> getHost(server, trusting(host)))).isEqualTo(Code.UNAVAILABLE);
            assertThat(code(() -> getHost(server, tls(host, stranger))))
                    .isEqualTo(Code.UNAVAILABLE);
            assertThat(code(() -> getHost(server, InsecureChannelCredentials.create())))
                    .isEqualTo(Code.UNAVAILABLE);

            // The command, with its options.
            String[] both = {
                "--server=127.0.0.1:" + server.grpcPort(),
                "--ca=" + host.certificate(),
                "--cert=" + friend.certificate(),
                "--key=" + friend.key()
            };
            assertThat(describe(both, "--token=" + VIEWER).exitCode()).isZero();
            Result unknown = describe(both, "--token=nobody-knows-this-one");
            assertThat(unknown.exitCode()).isEqualTo(REFUSED);
            assertThat(unknown.err()).contains("UNKNOWN_TOKEN");
            Result plain =
                    Application.run("host", "describe", "--server=127.0.0.1:" + server.grpcPort());
            assertThat(plain.exitCode()).isEqualTo(UNREACHABLE);
            assertThat(plain.err()).contains("--tls");
        }
    }

    @Test
    void metrics_ofAServerWithTokens_areForViewers() throws Exception {
        try (Server server =
                Server.start(
                        InsecureChannelCredentials.create(), VIEWER, "--token-file=" + tokens())) {
            assertThat(http(server, "")).startsWith("HTTP/1.1 401");
            assertThat(http(server, "Authorization: Bearer nobody-knows-this-one\r\n"))
                    .startsWith("HTTP/1.1 401");
            assertThat(http(server, "Authorization: Bearer " + VIEWER + "\r\n"))
                    .startsWith("HTTP/1.1 200")
                    .contains("seamlab_keyids");
            assertThat(
                            code(() ->
                                    server.host()
                                            .setCpuOnline(
                                                    SetCpuOnlineRequest.getDefaultInstance())))
                    .isEqualTo(Code.PERMISSION_DENIED);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "--token-file", "--tls"})
    void serve_beyondLoopbackWithoutTlsAndTokens_endsWith2AndSaysWhatItWants(String half)
            throws IOException {
        Certificates host = Certificates.make(folder, "host");
        Result result =
                switch (half) {
                    case "--token-file" ->
                            Application.run("serve", "--host=0.0.0.0", "--token-file=" + tokens());
                    case "--tls" ->
                            Application.run(
                                    "serve",
                                    "--host=0.0.0.0",
                                    "--tls-cert=" + host.certificate(),
                                    "--tls-key=" + host.key());
                    default -> Application.run("serve", "--host=0.0.0.0");
                };
        assertThat(result.exitCode()).isEqualTo(BAD_INPUT);
        assertThat(result.err()).contains("--host", "--tls-cert", "--token-file", "--insecure");
    }

    @Test
    void serve_beyondLoopbackWithInsecure_serves() {
        try (Server server = Server.start("--host=0.0.0.0", "--insecure")) {
            assertThatCode(() -> host(server)).doesNotThrowAnyException();
        }
    }

    @Test
    void serve_withABadTokenFile_endsWith2AndNamesTheLine() throws IOException {
        Path file = Files.writeString(folder.resolve("bad"), "long-enough-01234567 admin\n");
        Result result = Application.run("serve", "--token-file=" + file);
        assertThat(result.exitCode()).isEqualTo(BAD_INPUT);
        assertThat(result.err()).contains("line 1", "viewer, operator, lab");
    }

    private Path tokens() throws IOException {
        return Files.writeString(
                folder.resolve("tokens"), VIEWER + " viewer\n" + OPERATOR + " operator ci\n");
    }

    private static Object host(Server server) {
        return server.host().getHost(GetHostRequest.getDefaultInstance());
    }

    private static ChannelCredentials trusting(Certificates host) {
        try {
            return TlsChannelCredentials.newBuilder()
                    .trustManager(host.certificate().toFile())
                    .build();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static ChannelCredentials tls(Certificates host, Certificates client) {
        try {
            return TlsChannelCredentials.newBuilder()
                    .trustManager(host.certificate().toFile())
                    .keyManager(client.certificate().toFile(), client.key().toFile())
                    .build();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static void getHost(Server server, ChannelCredentials credentials) {
        with(
                server,
                credentials,
                channel ->
                        HostGrpc.newBlockingStub(channel)
                                .withDeadlineAfter(30, TimeUnit.SECONDS)
                                .getHost(GetHostRequest.getDefaultInstance()));
    }

    private static void health(Server server, ChannelCredentials credentials) {
        with(
                server,
                credentials,
                channel ->
                        HealthGrpc.newBlockingStub(channel)
                                .withDeadlineAfter(30, TimeUnit.SECONDS)
                                .check(HealthCheckRequest.getDefaultInstance()));
    }

    private static void with(
            Server server,
            ChannelCredentials credentials,
            java.util.function.Consumer<ManagedChannel> call) {
        ManagedChannel channel =
                Grpc.newChannelBuilder("127.0.0.1:" + server.grpcPort(), credentials).build();
        try {
            call.accept(channel);
        } finally {
            channel.shutdownNow();
        }
    }

    private static Code code(Runnable call) {
        return catchThrowableOfType(StatusRuntimeException.class, call::run).getStatus().getCode();
    }

    private static Result describe(String[] options, String token) {
        String[] line = new String[options.length + 3];
        line[0] = "host";
        line[1] = "describe";
        line[2] = token;
        System.arraycopy(options, 0, line, 3, options.length);
        return Application.run(line);
    }

    private static String http(Server server, String header) throws IOException {
        try (Socket socket = new Socket(InetAddress.ofLiteral("127.0.0.1"), server.httpPort())) {
            socket.getOutputStream()
                    .write(
                            ("GET /q/metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                                            + header
                                            + "\r\n")
                                    .getBytes(StandardCharsets.US_ASCII));
            return new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        }
    }
}
