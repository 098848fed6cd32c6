// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import com.google.longrunning.GetOperationRequest;
import com.google.longrunning.Operation;
import com.google.longrunning.OperationsGrpc;
import com.google.longrunning.WaitOperationRequest;
import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.util.Durations;
import dev.seamlab.v1.AuditGrpc;
import dev.seamlab.v1.EventsGrpc;
import dev.seamlab.v1.FaultsGrpc;
import dev.seamlab.v1.HostGrpc;
import dev.seamlab.v1.KvmGrpc;
import dev.seamlab.v1.MemoryGrpc;
import dev.seamlab.v1.PamtGrpc;
import dev.seamlab.v1.SeamcallsGrpc;
import dev.seamlab.v1.TrustDomainsGrpc;
import dev.seamlab.v1.VcpusGrpc;
import io.grpc.ChannelCredentials;
import io.grpc.ClientInterceptor;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.stub.MetadataUtils;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/** A connection to a server. */
final class Client implements AutoCloseable {
    /** Above the largest firmware image that the server takes. */
    private static final int MAX_MESSAGE = 64 << 20;

    /** How often somebody who looks is told of progress. */
    private static final Duration TELL = Duration.ofMillis(100);

    private final ManagedChannel channel;
    private final Duration timeout;

    /**
     * @param target host and port
     * @param credentials what the connection stands on
     * @param bearer who this is
     * @param timeout of one answer
     */
    Client(
            String target,
            ChannelCredentials credentials,
            ClientInterceptor bearer,
            Duration timeout) {
        this.channel =
                Grpc.newChannelBuilder(target, credentials)
                        .intercept(bearer)
                        .maxInboundMessageSize(MAX_MESSAGE)
                        .build();
        this.timeout = timeout;
    }

    /** A connection to a server on this machine that lets everybody in. */
    static Client plain(String target, Duration timeout) {
        return new Client(
                target,
                InsecureChannelCredentials.create(),
                MetadataUtils.newAttachHeadersInterceptor(new Metadata()),
                timeout);
    }

    TrustDomainsGrpc.TrustDomainsBlockingStub trustDomains() {
        return TrustDomainsGrpc.newBlockingStub(channel)
                .withDeadlineAfter(timeout.toNanos(), TimeUnit.NANOSECONDS);
    }

    /** For calls that last as long as somebody looks. */
    TrustDomainsGrpc.TrustDomainsBlockingStub endless() {
        return TrustDomainsGrpc.newBlockingStub(channel);
    }

    TrustDomainsGrpc.TrustDomainsStub async() {
        return TrustDomainsGrpc.newStub(channel);
    }

    AuditGrpc.AuditBlockingStub audit() {
        return AuditGrpc.newBlockingStub(channel)
                .withDeadlineAfter(timeout.toNanos(), TimeUnit.NANOSECONDS);
    }

    HostGrpc.HostBlockingStub host() {
        return HostGrpc.newBlockingStub(channel)
                .withDeadlineAfter(timeout.toNanos(), TimeUnit.NANOSECONDS);
    }

    /** For what happens to the host, as long as somebody looks. */
    HostGrpc.HostBlockingStub endlessHost() {
        return HostGrpc.newBlockingStub(channel);
    }

    PamtGrpc.PamtBlockingStub pamt() {
        return PamtGrpc.newBlockingStub(channel)
                .withDeadlineAfter(timeout.toNanos(), TimeUnit.NANOSECONDS);
    }

    /** For figures that are followed as long as somebody looks. */
    PamtGrpc.PamtBlockingStub endlessPamt() {
        return PamtGrpc.newBlockingStub(channel).withWaitForReady();
    }

    MemoryGrpc.MemoryBlockingStub memory() {
        return MemoryGrpc.newBlockingStub(channel)
                .withDeadlineAfter(timeout.toNanos(), TimeUnit.NANOSECONDS);
    }

    EventsGrpc.EventsBlockingStub events() {
        return EventsGrpc.newBlockingStub(channel)
                .withDeadlineAfter(timeout.toNanos(), TimeUnit.NANOSECONDS);
    }

    /** For events that are followed as long as somebody looks. */
    EventsGrpc.EventsBlockingStub endlessEvents() {
        return EventsGrpc.newBlockingStub(channel);
    }

    KvmGrpc.KvmBlockingStub kvm() {
        return KvmGrpc.newBlockingStub(channel)
                .withDeadlineAfter(timeout.toNanos(), TimeUnit.NANOSECONDS);
    }

    VcpusGrpc.VcpusBlockingStub vcpus() {
        return VcpusGrpc.newBlockingStub(channel)
                .withDeadlineAfter(timeout.toNanos(), TimeUnit.NANOSECONDS);
    }

    FaultsGrpc.FaultsBlockingStub faults() {
        return FaultsGrpc.newBlockingStub(channel)
                .withDeadlineAfter(timeout.toNanos(), TimeUnit.NANOSECONDS);
    }

    SeamcallsGrpc.SeamcallsBlockingStub seamcalls() {
        return SeamcallsGrpc.newBlockingStub(channel)
                .withDeadlineAfter(timeout.toNanos(), TimeUnit.NANOSECONDS);
    }

    /** For a log that is wanted for so long. */
    SeamcallsGrpc.SeamcallsBlockingStub seamcallsFor(Duration time) {
        return SeamcallsGrpc.newBlockingStub(channel)
                .withDeadlineAfter(time.toNanos(), TimeUnit.NANOSECONDS);
    }

    /** For a log that lasts as long as somebody looks. */
    SeamcallsGrpc.SeamcallsBlockingStub endlessSeamcalls() {
        return SeamcallsGrpc.newBlockingStub(channel).withWaitForReady();
    }

    /**
     * Waits until an operation is done, for as long as it takes, and tells nobody how far it is.
     */
    <M extends Message> M await(Operation operation, Class<M> type) {
        return unpack(await(operation, progress -> {}, timeout.dividedBy(2)), type);
    }

    /**
     * Waits until an operation is done, for as long as it takes.
     *
     * @param progress told of the operation ten times a second, and at the end
     * @throws CommandFailure with the error of an operation that failed
     */
    <M extends Message> M await(Operation operation, Class<M> type, Consumer<Operation> progress) {
        return unpack(await(operation, progress, TELL), type);
    }

    /** As the others, for an operation with any kind of response. */
    Any await(Operation operation, Consumer<Operation> progress) {
        return await(operation, progress, TELL);
    }

    private Any await(Operation operation, Consumer<Operation> progress, Duration turn) {
        Operation last = operation;
        while (!last.getDone()) {
            progress.accept(last);
            last =
                    operations()
                            .waitOperation(
                                    WaitOperationRequest.newBuilder()
                                            .setName(last.getName())
                                            .setTimeout(Durations.fromMillis(turn.toMillis()))
                                            .build());
        }
        progress.accept(last);
        if (last.hasError()) {
            throw Failures.of(last.getError());
        }
        return last.getResponse();
    }

    Operation operation(String name) {
        return operations().getOperation(GetOperationRequest.newBuilder().setName(name).build());
    }

    OperationsGrpc.OperationsBlockingStub operations() {
        return OperationsGrpc.newBlockingStub(channel)
                .withDeadlineAfter(timeout.toNanos(), TimeUnit.NANOSECONDS);
    }

    static <M extends Message> M unpack(Any any, Class<M> type) {
        try {
            return any.unpack(type);
        } catch (InvalidProtocolBufferException e) {
            throw new CommandFailure(
                    ExitCodes.INTERNAL,
                    "the server answered with " + any.getTypeUrl() + ": is it another version?");
        }
    }

    @Override
    public void close() {
        channel.shutdownNow();
    }
}
