// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.it;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.google.longrunning.Operation;
import com.google.longrunning.OperationsGrpc;
import com.google.longrunning.WaitOperationRequest;
import com.google.protobuf.InvalidProtocolBufferException;
import dev.seamlab.v1.AuditGrpc;
import dev.seamlab.v1.CreateTrustDomainRequest;
import dev.seamlab.v1.DeleteTrustDomainRequest;
import dev.seamlab.v1.GetMemoryReportRequest;
import dev.seamlab.v1.GetTrustDomainRequest;
import dev.seamlab.v1.GuestProgram;
import dev.seamlab.v1.HostGrpc;
import dev.seamlab.v1.MemoryReport;
import dev.seamlab.v1.SeamcallsGrpc;
import dev.seamlab.v1.StopTrustDomainRequest;
import dev.seamlab.v1.TrustDomain;
import dev.seamlab.v1.TrustDomainsGrpc;
import io.grpc.ChannelCredentials;
import io.grpc.ClientInterceptor;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.stub.MetadataUtils;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A running server in a process of its own, and the stubs of a client that talks to it. */
final class Server implements AutoCloseable {
    private static final Duration START = Duration.ofSeconds(60);
    private static final int MAX_MESSAGE_BYTES = 64 << 20;

    private final Process process;
    private final Path log;
    private final int grpcPort;
    private final int httpPort;
    private final ManagedChannel channel;

    private Server(
            Process process,
            Path log,
            int grpcPort,
            int httpPort,
            ChannelCredentials credentials,
            String token) {
        this.process = process;
        this.log = log;
        this.grpcPort = grpcPort;
        this.httpPort = httpPort;
        this.channel =
                Grpc.newChannelBuilder("127.0.0.1:" + grpcPort, credentials)
                        .intercept(bearer(token))
                        .maxInboundMessageSize(MAX_MESSAGE_BYTES)
                        .build();
    }

    /** Starts a server on loopback and waits until it says that it serves. */
    static Server start(String... arguments) {
        return start(InsecureChannelCredentials.create(), "", arguments);
    }

    /**
     * As {@link #start(String...)}, for a server that does not let everybody in.
     *
     * @param token of the client; empty for none
     */
    static Server start(ChannelCredentials credentials, String token, String... arguments) {
        try {
            int grpcPort = Application.freePort();
            int httpPort = Application.freePort();
            List<String> all =
                    new ArrayList<>(
                            List.of("serve", "--grpc-port=" + grpcPort, "--http-port=" + httpPort));
            all.addAll(List.of(arguments));
            Path log = Files.createTempFile("seamlab-it-server", ".log");
            Process process =
                    Application.command(all.toArray(String[]::new))
                            .redirectErrorStream(true)
                            .redirectOutput(log.toFile())
                            .start();
            Server server = new Server(process, log, grpcPort, httpPort, credentials, token);
            await().atMost(START).until(server::serves);
            return server;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static ClientInterceptor bearer(String token) {
        Metadata headers = new Metadata();
        if (!token.isEmpty()) {
            headers.put(
                    Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER),
                    "Bearer " + token);
        }
        return MetadataUtils.newAttachHeadersInterceptor(headers);
    }

    /** Asks the process to end, as an init system would, and does not wait. */
    void terminate() {
        process.destroy();
    }

    /** Waits until the process has ended; what it printed can be read then. */
    void awaitEnd() {
        try {
            assertThat(process.waitFor(60, TimeUnit.SECONDS)).as(this::log).isTrue();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AssertionError("interrupted", e);
        }
    }

    /** Ends the process as a power cut would. */
    void kill() {
        process.destroyForcibly();
        try {
            process.waitFor();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AssertionError("interrupted", e);
        }
    }

    /** The connection, for stubs that are not here. */
    ManagedChannel channel() {
        return channel;
    }

    private boolean serves() {
        if (!process.isAlive()) {
            throw new AssertionError("the server ended with " + process.exitValue() + "\n" + log());
        }
        try {
            return HealthGrpc.newBlockingStub(channel)
                            .withDeadlineAfter(1, TimeUnit.SECONDS)
                            .check(HealthCheckRequest.getDefaultInstance())
                            .getStatus()
                    == ServingStatus.SERVING;
        } catch (io.grpc.StatusRuntimeException e) {
            return false;
        }
    }

    int grpcPort() {
        return grpcPort;
    }

    int httpPort() {
        return httpPort;
    }

    /** What the server has printed so far. */
    String log() {
        try {
            return Files.readString(log);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    TrustDomainsGrpc.TrustDomainsBlockingStub trustDomains() {
        return TrustDomainsGrpc.newBlockingStub(channel).withDeadlineAfter(60, TimeUnit.SECONDS);
    }

    AuditGrpc.AuditBlockingStub audit() {
        return AuditGrpc.newBlockingStub(channel).withDeadlineAfter(60, TimeUnit.SECONDS);
    }

    HostGrpc.HostBlockingStub host() {
        return HostGrpc.newBlockingStub(channel).withDeadlineAfter(60, TimeUnit.SECONDS);
    }

    OperationsGrpc.OperationsBlockingStub operations() {
        return OperationsGrpc.newBlockingStub(channel).withDeadlineAfter(60, TimeUnit.SECONDS);
    }

    SeamcallsGrpc.SeamcallsBlockingStub seamcalls() {
        return SeamcallsGrpc.newBlockingStub(channel).withDeadlineAfter(60, TimeUnit.SECONDS);
    }

    MemoryReport memoryReport() {
        return host().getMemoryReport(GetMemoryReportRequest.getDefaultInstance());
    }

    /** Creates a TD and waits until it stands. */
    TrustDomain create(String id, TrustDomain.Builder trustDomain) {
        Operation operation =
                finished(
                        trustDomains()
                                .createTrustDomain(
                                        CreateTrustDomainRequest.newBuilder()
                                                .setTrustDomainId(id)
                                                .setTrustDomain(trustDomain)
                                                .build()));
        try {
            return operation.getResponse().unpack(TrustDomain.class);
        } catch (InvalidProtocolBufferException e) {
            throw new AssertionError("not a trust domain: " + operation, e);
        }
    }

    /** Stops a TD; returns it as it is afterwards. */
    TrustDomain stop(String name) {
        return trustDomains()
                .stopTrustDomain(StopTrustDomainRequest.newBuilder().setName(name).build());
    }

    /** Deletes a TD and waits until it is gone. */
    void delete(String name) {
        finished(
                trustDomains()
                        .deleteTrustDomain(
                                DeleteTrustDomainRequest.newBuilder().setName(name).build()));
    }

    TrustDomain get(String name) {
        return trustDomains()
                .getTrustDomain(GetTrustDomainRequest.newBuilder().setName(name).build());
    }

    /** Waits for an operation; fails if it failed. */
    Operation finished(Operation operation) {
        Operation now = operation;
        while (!now.getDone()) {
            now =
                    operations()
                            .waitOperation(
                                    WaitOperationRequest.newBuilder()
                                            .setName(operation.getName())
                                            .build());
        }
        if (now.hasError()) {
            throw new AssertionError("operation failed: " + now.getError());
        }
        return now;
    }

    /** A small TD with a guest program given as text. */
    static TrustDomain.Builder smallTd(String program) {
        return TrustDomain.newBuilder()
                .setMemoryBytes(32L << 20)
                .setVcpuCount(1)
                .setGuestProgram(GuestProgram.newBuilder().setText(program));
    }

    /** A small TD with a built-in guest program. */
    static TrustDomain.Builder smallTdRunning(String builtIn) {
        return TrustDomain.newBuilder()
                .setMemoryBytes(32L << 20)
                .setVcpuCount(1)
                .setGuestProgram(GuestProgram.newBuilder().setBuiltIn(builtIn));
    }

    @Override
    public void close() {
        channel.shutdownNow();
        process.destroy();
        try {
            if (!process.waitFor(30, TimeUnit.SECONDS)) {
                process.destroyForcibly();
                throw new AssertionError("the server did not end when asked to\n" + log());
            }
            Files.deleteIfExists(log);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AssertionError("interrupted", e);
        }
    }
}
