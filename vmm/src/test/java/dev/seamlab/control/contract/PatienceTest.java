// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.contract;

import static dev.seamlab.control.GrpcLab.refused;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.google.common.util.concurrent.ListenableFuture;
import com.google.protobuf.Message;
import io.grpc.CallOptions;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ClientCalls;
import io.quarkus.test.junit.QuarkusTest;
import java.util.ArrayList;
import java.util.List;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Calls that can take long, given up in the middle by their deadline or by the client: they end,
 * and what they were on is free again.
 */
@QuarkusTest
class PatienceTest {
    /**
     * A call that would take for ever, or nearly.
     *
     * @param slow a leaf that is slow meanwhile; empty for none
     * @param request what never ends
     * @param then what has to work on the same resource afterwards
     */
    private record Slow(String method, String slow, String request, String then) {}

    private static final List<Slow> SLOW =
            List.of(
                    new Slow(
                            "TrustDomains/WaitTrustDomain", "", "states: RUNNING", "states: READY"),
                    new Slow("Vcpus/RunVcpu", "", "", ""),
                    new Slow(
                            "Kvm/RunKvmVcpu",
                            "",
                            "text: 'loop 1000000000000 { spin 1 }'",
                            "text: 'spin 1'"),
                    new Slow(
                            "Kvm/PreFaultVcpuMemory",
                            "TDH.MEM.PAGE.AUG",
                            "gpa: 0x100000 size_bytes: 0x200000",
                            "gpa: 0x380000 size_bytes: 0x1000"),
                    new Slow(
                            "Kvm/InitMemRegion",
                            "TDH.MEM.PAGE.ADD",
                            "gpa: 0x100000 page_count: 500",
                            "gpa: 0x380000 page_count: 1"),
                    new Slow(
                            "Memory/PreFaultMemory",
                            "TDH.MEM.PAGE.AUG",
                            "gpa: 0xA00000 size_bytes: 0x400000",
                            "gpa: 0xB00000 size_bytes: 0x1000"));

    @ConfigProperty(name = "quarkus.grpc.server.test-port")
    int port;

    private Fixture fixture;

    @BeforeEach
    void connect() {
        fixture = new Fixture(port);
    }

    @AfterEach
    void everythingIsAsBefore() {
        fixture.close();
    }

    @Test
    void aCallWhoseDeadlinePasses_ends_andLeavesItsResourceFree() {
        for (Slow slow : SLOW) {
            String name = resource(slow);
            String fault = slowDown(slow.slow(), "nanos: 50000000");
            Rpc rpc = Api.rpc(slow.method());
            StatusRuntimeException e =
                    refused(() ->
                            rpc.call(fixture.channel(), request(rpc, name, slow.request()), 200));
            assertThat(e.getStatus().getCode()).as(slow.method()).isEqualTo(Code.DEADLINE_EXCEEDED);
            speedUp(fault);
            expectFree(slow, rpc, name);
        }
    }

    @Test
    void aCallWhoseClientHangsUp_ends_andLeavesItsResourceFree() {
        for (Slow slow : SLOW) {
            String name = resource(slow);
            String fault = slowDown(slow.slow(), "nanos: 50000000");
            Rpc rpc = Api.rpc(slow.method());
            ListenableFuture<Message> call =
                    ClientCalls.futureUnaryCall(
                            fixture.channel().newCall(rpc.method(), CallOptions.DEFAULT),
                            request(rpc, name, slow.request()));
            // Whether it has begun or not: both must end.
            assertThat(call.cancel(true)).as(slow.method()).isTrue();
            speedUp(fault);
            expectFree(slow, rpc, name);
        }
    }

    @Test
    void aCallThatWaits_keepsNobodyElseWaiting_onTheSameConnection() {
        for (Slow slow : SLOW) {
            String name = resource(slow);
            String fault = slowDown(slow.slow(), "nanos: 50000000");
            Rpc rpc = Api.rpc(slow.method());
            expectOthersServed(rpc, request(rpc, name, slow.request()));
            speedUp(fault);
            expectFree(slow, rpc, name);
        }
    }

    /** Sends far more calls than the server has event loops; somebody else must be heard. */
    private void expectOthersServed(Rpc rpc, Message request) {
        List<ListenableFuture<Message>> waiting = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            waiting.add(
                    ClientCalls.futureUnaryCall(
                            fixture.channel().newCall(rpc.method(), CallOptions.DEFAULT), request));
        }
        try {
            assertThat(fixture.call("Host/GetHost", "")).as(rpc.name()).isNotNull();
        } finally {
            waiting.forEach(call -> call.cancel(true));
        }
    }

    @Test
    void aWaitForAnOperation_isGivenUp_andTheOperationGoesOn() {
        String fault = slowDown("TDH.MNG.CREATE", "seconds: 10");
        Message begun =
                Api.rpc("TrustDomains/CreateTrustDomain")
                        .call(
                                fixture.channel(),
                                fixture.request(
                                        Api.rpc("TrustDomains/CreateTrustDomain"),
                                        Contract.row(Api.rpc("TrustDomains/CreateTrustDomain"))
                                                .request()));
        Rpc wait = Api.rpc("Operations/WaitOperation");
        Message request =
                fixture.request(
                        wait,
                        "name: '"
                                + ((com.google.longrunning.Operation) begun).getName()
                                + "' timeout { seconds: 60 }");
        StatusRuntimeException e = refused(() -> wait.call(fixture.channel(), request, 100));
        assertThat(e.getStatus().getCode()).isEqualTo(Code.DEADLINE_EXCEEDED);
        expectOthersServed(wait, request);
        speedUp(fault);
        assertThat(fixture.finish(begun)).isNotNull();
    }

    @Test
    void aWatchWhoseDeadlinePasses_ends() {
        for (Rpc rpc : Api.all()) {
            if (rpc.isUnary() || !rpc.takesOneRequest()) {
                continue;
            }
            Message request = fixture.request(rpc, Contract.row(rpc).request());
            StatusRuntimeException e = refused(() -> rpc.drain(fixture.channel(), request, 300));
            assertThat(e.getStatus().getCode()).as(rpc.name()).isEqualTo(Code.DEADLINE_EXCEEDED);
        }
    }

    private String resource(Slow slow) {
        String place =
                switch (slow.method()) {
                    case "Vcpus/RunVcpu" -> "$td:BUSY/vcpus/0";
                    case "Kvm/InitMemRegion" -> "$vm:3";
                    case "Kvm/RunKvmVcpu", "Kvm/PreFaultVcpuMemory" -> "$vm:4";
                    default -> "$td:READY";
                };
        Rpc rpc = Api.rpc(slow.method());
        Message request = fixture.request(rpc, "name: '" + place + "'");
        return (String) request.getField(rpc.requestType().findFieldByName("name"));
    }

    private Message request(Rpc rpc, String name, String rest) {
        return fixture.request(rpc, "name: '" + name + "' " + rest);
    }

    /** Makes each call of a leaf take so long. */
    private String slowDown(String leaf, String delay) {
        if (leaf.isEmpty()) {
            return "";
        }
        Message fault =
                fixture.call(
                        "Faults/CreateFault",
                        "fault { leaf: '" + leaf + "' probability: 1 delay { " + delay + " } }");
        return (String) fault.getField(fault.getDescriptorForType().findFieldByName("name"));
    }

    private void speedUp(String fault) {
        if (!fault.isEmpty()) {
            assertThat(fixture.call("Faults/DeleteFault", "name: '" + fault + "'")).isNotNull();
        }
    }

    /** The call that was given up may be on its way out for a moment. */
    private void expectFree(Slow slow, Rpc rpc, String name) {
        if (slow.method().equals("Vcpus/RunVcpu")) {
            String td = name.substring(0, name.indexOf("/vcpus"));
            await(slow.method())
                    .ignoreExceptionsMatching(PatienceTest::isBusy)
                    .until(() ->
                            fixture.call("TrustDomains/StartTrustDomain", "name: '" + td + "'")
                                    != null);
            return;
        }
        await(slow.method())
                .ignoreExceptionsMatching(PatienceTest::isBusy)
                .until(() -> rpc.call(fixture.channel(), request(rpc, name, slow.then())) != null);
    }

    private static boolean isBusy(Throwable e) {
        return e instanceof StatusRuntimeException refused
                && refused.getStatus().getCode() == Code.ABORTED;
    }
}
