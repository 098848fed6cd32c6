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
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import dev.seamlab.v1.AuditGrpc;
import dev.seamlab.v1.AuditReport;
import dev.seamlab.v1.CreateTrustDomainRequest;
import dev.seamlab.v1.DeleteTrustDomainRequest;
import dev.seamlab.v1.GetMemoryReportRequest;
import dev.seamlab.v1.GetTrustDomainRequest;
import dev.seamlab.v1.GuestProgram;
import dev.seamlab.v1.HostGrpc;
import dev.seamlab.v1.ListTrustDomainsRequest;
import dev.seamlab.v1.MemoryReport;
import dev.seamlab.v1.RunAuditRequest;
import dev.seamlab.v1.StartTrustDomainRequest;
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

/**
 * A client of the server under test. Closing it takes every trust domain away and checks that the
 * host is as it was: no page missing, no finding of an audit.
 */
public final class GrpcLab implements AutoCloseable {
    /** Memory of trust domains whose size does not matter. */
    public static final long SMALL = 16 << 20;

    private static final long LARGER = 64 << 20;

    /** A guest that never ends. */
    public static final String FOR_EVER = "loop 1000000000000 { spin 1 }";

    private final ManagedChannel channel;
    private final MemoryReport before;

    public GrpcLab(int port) {
        channel = ManagedChannelBuilder.forAddress("127.0.0.1", port).usePlaintext().build();
        before = memory();
    }

    public ManagedChannel channel() {
        return channel;
    }

    public TrustDomainsGrpc.TrustDomainsBlockingStub trustDomains() {
        return TrustDomainsGrpc.newBlockingStub(channel).withDeadlineAfter(30, TimeUnit.SECONDS);
    }

    public OperationsGrpc.OperationsBlockingStub operations() {
        return OperationsGrpc.newBlockingStub(channel).withDeadlineAfter(30, TimeUnit.SECONDS);
    }

    public HostGrpc.HostBlockingStub host() {
        return HostGrpc.newBlockingStub(channel).withDeadlineAfter(30, TimeUnit.SECONDS);
    }

    public MemoryReport memory() {
        return host().getMemoryReport(GetMemoryReportRequest.getDefaultInstance());
    }

    public AuditReport audit() {
        return AuditGrpc.newBlockingStub(channel)
                .withDeadlineAfter(30, TimeUnit.SECONDS)
                .runAudit(RunAuditRequest.getDefaultInstance());
    }

    /** Nobody finds anything wrong. */
    public void expectAudit() {
        assertThat(audit().getFindingsList()).isEmpty();
    }

    /** A request for a small trust domain. */
    public static CreateTrustDomainRequest request(String id, String program) {
        return request(id, small(program));
    }

    private static CreateTrustDomainRequest request(String id, TrustDomain.Builder wanted) {
        return CreateTrustDomainRequest.newBuilder()
                .setTrustDomainId(id)
                .setTrustDomain(wanted)
                .build();
    }

    private static TrustDomain.Builder small(String program) {
        return TrustDomain.newBuilder()
                .setMemoryBytes(SMALL)
                .setGuestProgram(GuestProgram.newBuilder().setText(program));
    }

    /** Creates a trust domain and returns its name. */
    public String create(String id, String program) {
        return build(id, program).getName();
    }

    /** Creates a trust domain, perhaps with the DEBUG attribute, and returns its name. */
    public String create(String id, String program, boolean debug) {
        TrustDomain.Builder wanted = small(program);
        if (debug) {
            wanted.getAttributesBuilder().setDebug(true).setSeptVeDisable(true);
        }
        return build(request(id, wanted)).getName();
    }

    /** Creates a trust domain. */
    public TrustDomain build(String id, String program) {
        return build(request(id, program));
    }

    /** Creates a trust domain with some vCPUs, and memory for them to work on. */
    public TrustDomain build(String id, int vcpus, String program) {
        return build(request(id, small(program).setMemoryBytes(LARGER).setVcpuCount(vcpus)));
    }

    private TrustDomain build(CreateTrustDomainRequest request) {
        Operation done = finish(trustDomains().createTrustDomain(request));
        assertThat(done.hasError()).as(done.getError().getMessage()).isFalse();
        try {
            return done.getResponse().unpack(TrustDomain.class);
        } catch (InvalidProtocolBufferException e) {
            throw new AssertionError(e);
        }
    }

    public TrustDomain get(String name) {
        return trustDomains()
                .getTrustDomain(GetTrustDomainRequest.newBuilder().setName(name).build());
    }

    public TrustDomain start(String name) {
        return trustDomains()
                .startTrustDomain(StartTrustDomainRequest.newBuilder().setName(name).build());
    }

    public TrustDomain stop(String name) {
        return trustDomains()
                .stopTrustDomain(StopTrustDomainRequest.newBuilder().setName(name).build());
    }

    /** Deletes a trust domain, and returns the operation that did it. */
    public Operation delete(String name) {
        Operation done =
                finish(
                        trustDomains()
                                .deleteTrustDomain(
                                        DeleteTrustDomainRequest.newBuilder()
                                                .setName(name)
                                                .build()));
        assertThat(done.hasError()).as(done.getError().getMessage()).isFalse();
        return done;
    }

    /** Waits for the end of an operation. */
    public Operation finish(Operation operation) {
        Operation now = operation;
        while (!now.getDone()) {
            now =
                    operations()
                            .waitOperation(
                                    WaitOperationRequest.newBuilder()
                                            .setName(operation.getName())
                                            .setTimeout(Durations.fromSeconds(10))
                                            .build());
        }
        return now;
    }

    @Override
    public void close() {
        try {
            for (TrustDomain td :
                    trustDomains()
                            .listTrustDomains(ListTrustDomainsRequest.getDefaultInstance())
                            .getTrustDomainsList()) {
                if (td.getState() == State.RUNNING || td.getState() == State.PAUSED) {
                    assertThat(stop(td.getName()).getState()).isEqualTo(State.STOPPED);
                }
                assertThat(delete(td.getName()).getDone()).isTrue();
            }
            assertThat(memory()).isEqualTo(before);
            expectAudit();
        } finally {
            channel.shutdownNow();
        }
    }

    /** What a call was refused with. */
    public static StatusRuntimeException refused(Supplier<?> call) {
        StatusRuntimeException refusal =
                catchThrowableOfType(StatusRuntimeException.class, call::get);
        assertThat(refusal).as("the call was granted").isNotNull();
        return refusal;
    }

    /** The code that a call was refused with. */
    public static Status.Code code(Supplier<?> call) {
        return refused(call).getStatus().getCode();
    }

    /** The reason that a call was refused with. */
    public static String reason(Supplier<?> call) {
        return reason(refused(call));
    }

    /** The reason in a refusal. */
    public static String reason(StatusRuntimeException refusal) {
        return info(refusal).getReason();
    }

    /** Reason and metadata of a refusal. */
    public static ErrorInfo info(StatusRuntimeException refusal) {
        return detail(refusal, ErrorInfo.class);
    }

    /** The one field that a call was refused for, with INVALID_ARGUMENT. */
    public static String field(Supplier<?> call) {
        StatusRuntimeException refusal = refused(call);
        assertThat(refusal.getStatus().getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
        BadRequest bad = detail(refusal, BadRequest.class);
        assertThat(bad.getFieldViolationsList()).hasSize(1);
        assertThat(bad.getFieldViolations(0).getDescription()).isNotBlank();
        return bad.getFieldViolations(0).getField();
    }

    /** The one detail of a kind in a refusal. */
    public static <M extends Message> M detail(StatusRuntimeException refusal, Class<M> type) {
        com.google.rpc.Status status = StatusProto.fromThrowable(refusal);
        assertThat(status).isNotNull();
        for (Any detail : status.getDetailsList()) {
            if (detail.is(type)) {
                try {
                    return detail.unpack(type);
                } catch (InvalidProtocolBufferException e) {
                    throw new AssertionError(e);
                }
            }
        }
        throw new AssertionError("no " + type.getSimpleName() + " in " + status);
    }
}
