// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.contract;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.longrunning.CancelOperationRequest;
import com.google.longrunning.ListOperationsRequest;
import com.google.longrunning.Operation;
import com.google.longrunning.OperationsGrpc;
import com.google.protobuf.Message;
import com.google.protobuf.util.Durations;
import com.google.rpc.Code;
import com.google.rpc.ErrorInfo;
import dev.seamlab.v1.CreateFaultRequest;
import dev.seamlab.v1.CreateTrustDomainRequest;
import dev.seamlab.v1.Fault;
import dev.seamlab.v1.RunCheckRequest;
import dev.seamlab.v1.Sandbox;
import dev.seamlab.v1.SeamcallRequest;
import dev.seamlab.v1.TrustDomain;
import dev.seamlab.v1.Vm;
import dev.seamlab.v1.WriteMemoryRequest;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import io.quarkus.test.junit.QuarkusTest;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Random requests to every unary method of a live server, from several clients at once: each is
 * granted, or refused with a reason; none is INTERNAL or UNKNOWN, none hangs, and the host is sound
 * and as before when everything is taken away. {@code -Dsweep=all} sends far more, from seeds that
 * are new each time.
 */
@QuarkusTest
class RandomRequestsTest {
    private static final boolean ALL = "all".equals(System.getProperty("sweep"));
    private static final int CLIENTS = 3;
    private static final int ROUNDS = ALL ? 300 : 12;

    /** Calls that may wait for what never comes, and so have little patience. */
    private static final Set<String> WAIT =
            Set.of(
                    "TrustDomains/WaitTrustDomain",
                    "Operations/WaitOperation",
                    "Vcpus/RunVcpu",
                    "Kvm/RunKvmVcpu",
                    "Kvm/PreFaultVcpuMemory",
                    "Kvm/InitMemRegion",
                    "Memory/PreFaultMemory",
                    "Memory/ListMappings",
                    "Seamcalls/Call");

    private static final long LITTLE_MILLIS = 100;
    private static final long PATIENCE_MILLIS = 60_000;
    private static final int MOST = 12;

    @ConfigProperty(name = "quarkus.grpc.server.test-port")
    int port;

    private final Queue<String> wrong = new ConcurrentLinkedQueue<>();
    private final Queue<String> made = new ConcurrentLinkedQueue<>();
    private final AtomicInteger sent = new AtomicInteger();
    private final AtomicInteger granted = new AtomicInteger();
    private Fixture fixture;
    private String sandbox = "";

    @BeforeEach
    void connect() {
        fixture = new Fixture(port);
    }

    @AfterEach
    void everythingIsAsBefore() throws InterruptedException {
        settle();
        fixture.close();
    }

    @Test
    void aRequestThatMakesNoSense_isRefusedWithAReason_andTheHostStaysSound()
            throws InterruptedException {
        List<String> names = resources();
        long seed = ALL ? System.nanoTime() : 1;
        List<Thread> clients = new ArrayList<>();
        for (int i = 0; i < CLIENTS; i++) {
            Random random = new Random(seed + i);
            clients.add(Thread.ofVirtual().start(() -> client(random, names)));
        }
        for (Thread client : clients) {
            client.join();
        }
        assertThat(wrong).as("with seed %d", seed).isEmpty();
        // Senseless, but not so senseless that all of them fail at the door.
        assertThat(granted.get()).isGreaterThan(sent.get() / 5);
    }

    private List<String> resources() {
        sandbox = one("Seamcalls/ListLeaves", "sandbox: '$sandbox'", "sandbox");
        List<String> names = new ArrayList<>();
        names.add(sandbox);
        for (String state : List.of("READY", "RUNNING", "PAUSED", "BUSY")) {
            String td = one("TrustDomains/GetTrustDomain", "name: '$td:" + state + "'", "name");
            names.add(td);
            names.add(td + "/vcpus/0");
            names.add(td + "/vcpus/7");
        }
        for (int stage = 0; stage <= 4; stage++) {
            names.add(one("Kvm/GetVm", "name: '$vm:" + stage + "'", "name"));
        }
        names.add(one("Kvm/CreateVm", "vm { type: ORDINARY }", ""));
        names.add(one("Faults/GetFault", "name: '$fault:new'", "name"));
        names.add(one("Operations/GetOperation", "name: '$operation:new'", "name"));
        for (int i = 0; i < 5; i++) {
            names.add("trustDomains/random-" + i);
            names.add("vms/random-" + i);
        }
        names.addAll(List.of("trustDomains/nobody", "vms/nobody", "faults/nobody", "operations/x"));
        return List.copyOf(names);
    }

    private String one(String method, String text, String field) {
        Rpc rpc = Api.rpc(method);
        Message request = fixture.request(rpc, text);
        if (field.isEmpty()) {
            return ((Vm) rpc.call(fixture.channel(), request)).getName();
        }
        return (String) request.getField(rpc.requestType().findFieldByName(field));
    }

    private void client(Random random, List<String> names) {
        RandomMessages messages = new RandomMessages(random, names);
        try {
            for (int round = 0; round < ROUNDS; round++) {
                for (Rpc rpc : Api.all()) {
                    if (rpc.isUnary()) {
                        send(rpc, tamed(messages.any(rpc.request())));
                    }
                }
                prune();
            }
        } catch (RuntimeException | AssertionError e) {
            wrong.add("the client ended with " + e);
        }
    }

    /** What would be no fair test: breaking the server's own host on purpose, or mere size. */
    private Message tamed(Message request) {
        return switch (request) {
            case SeamcallRequest call when call.getSandbox().isEmpty() ->
                    call.toBuilder().setSandbox(sandbox).build();
            case WriteMemoryRequest write when write.getSandbox().isEmpty() ->
                    write.toBuilder().setSandbox(sandbox).build();
            case CreateFaultRequest create ->
                    create.toBuilder().setFault(create.getFault().toBuilder().clearDelay()).build();
            // A process for each; ChecksServiceTest has those that are right.
            case RunCheckRequest check -> check.toBuilder().addVariants("no-such").build();
            case CreateTrustDomainRequest create
                    when create.getTrustDomain().getMemoryBytes() > 64 << 20 ->
                    create.toBuilder().setValidateOnly(true).build();
            default -> request;
        };
    }

    private void send(Rpc rpc, Message request) {
        long patience = WAIT.contains(rpc.name()) ? LITTLE_MILLIS : PATIENCE_MILLIS;
        sent.incrementAndGet();
        try {
            note(rpc.call(fixture.channel(), request, patience));
            granted.incrementAndGet();
        } catch (StatusRuntimeException e) {
            String fault = fault(rpc, e);
            if (fault != null) {
                wrong.add(rpc + " " + fault + ": " + e.getStatus() + "\n" + request);
            }
        }
    }

    /** What is wrong with a refusal; null for nothing. */
    private static @Nullable String fault(Rpc rpc, StatusRuntimeException e) {
        Status.Code code = e.getStatus().getCode();
        if (code == Status.Code.DEADLINE_EXCEEDED || code == Status.Code.CANCELLED) {
            return WAIT.contains(rpc.name()) ? null : "hangs";
        }
        if (Set.of(
                        Status.Code.INVALID_ARGUMENT,
                        Status.Code.NOT_FOUND,
                        Status.Code.ALREADY_EXISTS,
                        Status.Code.FAILED_PRECONDITION,
                        Status.Code.ABORTED,
                        Status.Code.OUT_OF_RANGE,
                        Status.Code.RESOURCE_EXHAUSTED)
                .contains(code)) {
            boolean reason =
                    StatusProto.fromThrowable(e).getDetailsList().stream()
                            .anyMatch(any -> any.is(ErrorInfo.class));
            return reason ? null : "says no reason";
        }
        return "is refused with what nobody can mend";
    }

    /**
     * Faults would make errors that are no defects; they go at once. The rest is kept in bounds.
     */
    private void note(Message answer) {
        switch (answer) {
            case Fault fault -> delete("Faults/DeleteFault", fault.getName());
            case Vm vm -> made.add(vm.getName());
            case Sandbox box when !box.getName().equals(sandbox) -> made.add(box.getName());
            case TrustDomain td -> made.add(td.getName());
            default -> {}
        }
    }

    private void prune() {
        while (made.size() > MOST) {
            String name = String.valueOf(made.poll());
            if (name.startsWith("vms/")) {
                delete("Kvm/DeleteVm", name);
            } else if (name.startsWith("sandboxes/")) {
                delete("Seamcalls/DeleteSandbox", name);
            } else if (name.startsWith("trustDomains/random")) {
                delete("TrustDomains/KillTrustDomain", name);
                delete("TrustDomains/DeleteTrustDomain", name);
            }
        }
    }

    private void delete(String method, String name) {
        Rpc rpc = Api.rpc(method);
        send(
                rpc,
                rpc.request().toBuilder()
                        .setField(rpc.requestType().findFieldByName("name"), name)
                        .build());
    }

    /** Waits for what the requests began; an operation that ended INTERNAL counts, too. */
    private void settle() throws InterruptedException {
        OperationsGrpc.OperationsBlockingStub operations =
                OperationsGrpc.newBlockingStub(fixture.channel())
                        .withDeadlineAfter(60, TimeUnit.SECONDS);
        boolean busy = true;
        while (busy) {
            busy = false;
            for (Operation operation :
                    operations
                            .listOperations(
                                    ListOperationsRequest.newBuilder().setPageSize(1000).build())
                            .getOperationsList()) {
                if (!operation.getDone()) {
                    busy = true;
                    var _ =
                            operations.cancelOperation(
                                    CancelOperationRequest.newBuilder()
                                            .setName(operation.getName())
                                            .build());
                    assertThat(
                                    operations
                                            .waitOperation(
                                                    com.google.longrunning.WaitOperationRequest
                                                            .newBuilder()
                                                            .setName(operation.getName())
                                                            .setTimeout(Durations.fromSeconds(30))
                                                            .build())
                                            .getDone())
                            .isTrue();
                } else {
                    assertThat(operation.getError().getCode())
                            .as("%s", operation)
                            .isNotIn(Code.INTERNAL_VALUE, Code.UNKNOWN_VALUE);
                }
            }
        }
    }
}
