// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.google.longrunning.Operation;
import com.google.longrunning.OperationsGrpc;
import com.google.longrunning.WaitOperationRequest;
import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.util.Durations;
import com.google.rpc.ErrorInfo;
import dev.seamlab.v1.AuditGrpc;
import dev.seamlab.v1.CreateTrustDomainRequest;
import dev.seamlab.v1.DeleteTrustDomainRequest;
import dev.seamlab.v1.GetMemoryReportRequest;
import dev.seamlab.v1.GuestProgram;
import dev.seamlab.v1.HostGrpc;
import dev.seamlab.v1.ListTrustDomainsRequest;
import dev.seamlab.v1.MemoryReport;
import dev.seamlab.v1.RunAuditRequest;
import dev.seamlab.v1.StopTrustDomainRequest;
import dev.seamlab.v1.TrustDomain;
import dev.seamlab.v1.TrustDomain.State;
import dev.seamlab.v1.TrustDomainsGrpc;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/** What contract tests have in common: a channel, trust domains, and a host that is as before. */
public final class Grpc implements AutoCloseable {
    public static final String FOR_EVER = "loop 1000000000000 { spin 1 }";

    private final ManagedChannel channel;
    private final MemoryReport before;

    public Grpc(int port) {
        channel = ManagedChannelBuilder.forAddress("127.0.0.1", port).usePlaintext().build();
        before = report();
    }

    public ManagedChannel channel() {
        return channel;
    }

    public TrustDomainsGrpc.TrustDomainsBlockingStub tds() {
        return TrustDomainsGrpc.newBlockingStub(channel).withDeadlineAfter(30, TimeUnit.SECONDS);
    }

    public MemoryReport report() {
        return HostGrpc.newBlockingStub(channel)
                .withDeadlineAfter(30, TimeUnit.SECONDS)
                .getMemoryReport(GetMemoryReportRequest.getDefaultInstance());
    }

    public TrustDomain create(String id, int vcpus, String program) {
        Operation done =
                finish(
                        tds().createTrustDomain(
                                        CreateTrustDomainRequest.newBuilder()
                                                .setTrustDomainId(id)
                                                .setTrustDomain(
                                                        TrustDomain.newBuilder()
                                                                .setMemoryBytes(64 << 20)
                                                                .setVcpuCount(vcpus)
                                                                .setGuestProgram(
                                                                        GuestProgram.newBuilder()
                                                                                .setText(program)))
                                                .build()));
        assertThat(done.hasError()).as(done.getError().getMessage()).isFalse();
        try {
            return done.getResponse().unpack(TrustDomain.class);
        } catch (InvalidProtocolBufferException e) {
            throw new AssertionError(e);
        }
    }

    public Operation finish(Operation operation) {
        Operation now = operation;
        while (!now.getDone()) {
            now =
                    OperationsGrpc.newBlockingStub(channel)
                            .waitOperation(
                                    WaitOperationRequest.newBuilder()
                                            .setName(operation.getName())
                                            .setTimeout(Durations.fromSeconds(10))
                                            .build());
        }
        return now;
    }

    public Operation delete(String name) {
        return finish(
                tds().deleteTrustDomain(
                                DeleteTrustDomainRequest.newBuilder().setName(name).build()));
    }

    public void expectAudit() {
        assertThat(
                        AuditGrpc.newBlockingStub(channel)
                                .withDeadlineAfter(30, TimeUnit.SECONDS)
                                .runAudit(RunAuditRequest.getDefaultInstance())
                                .getFindingsList())
                .isEmpty();
    }

    /** Deletes all trust domains; the host has to be sound and as it was at the start. */
    @Override
    public void close() {
        try {
            for (TrustDomain td :
                    tds().listTrustDomains(ListTrustDomainsRequest.getDefaultInstance())
                            .getTrustDomainsList()) {
                if (td.getState() == State.RUNNING || td.getState() == State.PAUSED) {
                    var _ =
                            tds().stopTrustDomain(
                                            StopTrustDomainRequest.newBuilder()
                                                    .setName(td.getName())
                                                    .build());
                }
                Operation done = delete(td.getName());
                assertThat(done.hasError()).as(done.getError().getMessage()).isFalse();
            }
            assertThat(report()).isEqualTo(before);
            expectAudit();
        } finally {
            channel.shutdownNow();
        }
    }

    public static StatusRuntimeException refused(Supplier<?> call) {
        return catchThrowableOfType(StatusRuntimeException.class, call::get);
    }

    public static Status.Code code(Supplier<?> call) {
        return refused(call).getStatus().getCode();
    }

    public static String reason(StatusRuntimeException e) {
        return info(e).getReason();
    }

    public static ErrorInfo info(StatusRuntimeException e) {
        return detail(e, ErrorInfo.class);
    }

    public static <M extends Message> M detail(StatusRuntimeException e, Class<M> type) {
        try {
            for (Any any : StatusProto.fromThrowable(e).getDetailsList()) {
                if (any.is(type)) {
                    return any.unpack(type);
                }
            }
        } catch (InvalidProtocolBufferException broken) {
            throw new AssertionError(broken);
        }
        throw new AssertionError("no " + type.getSimpleName() + " in " + e);
    }
}
