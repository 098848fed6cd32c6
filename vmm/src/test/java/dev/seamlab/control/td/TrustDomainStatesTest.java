// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.td;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.longrunning.Operation;
import com.google.protobuf.FieldMask;
import dev.seamlab.control.GrpcLab;
import dev.seamlab.v1.CreateTrustDomainRequest;
import dev.seamlab.v1.DeleteTrustDomainRequest;
import dev.seamlab.v1.GetTrustDomainRequest;
import dev.seamlab.v1.GuestProgram;
import dev.seamlab.v1.InjectNmiRequest;
import dev.seamlab.v1.KillTrustDomainRequest;
import dev.seamlab.v1.ListTrustDomainsRequest;
import dev.seamlab.v1.PauseTrustDomainRequest;
import dev.seamlab.v1.ResetTrustDomainRequest;
import dev.seamlab.v1.ResumeTrustDomainRequest;
import dev.seamlab.v1.RunVcpuRequest;
import dev.seamlab.v1.StartTrustDomainRequest;
import dev.seamlab.v1.StopTrustDomainRequest;
import dev.seamlab.v1.TerminateTrustDomainRequest;
import dev.seamlab.v1.TrustDomain;
import dev.seamlab.v1.TrustDomain.State;
import dev.seamlab.v1.TrustDomainsGrpc.TrustDomainsBlockingStub;
import dev.seamlab.v1.UpdateTrustDomainRequest;
import dev.seamlab.v1.VcpusGrpc;
import dev.seamlab.v1.WaitTrustDomainRequest;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import io.quarkus.test.junit.QuarkusTest;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Methods in random order on a few trust domains: what the API's documentation allows is done and
 * leads where it says, everything else is refused with its reason and changes nothing.
 */
@QuarkusTest
class TrustDomainStatesTest {
    private static final int STEPS = 150;
    private static final int NAMES = 3;

    /** What its guest does once it runs: nothing, power itself off, or give up. */
    private static final String[] PROGRAMS = {"idle", "idle", "shutdown", "fatal 7 \"gone\""};

    private enum Method {
        CREATE,
        GET,
        UPDATE,
        START,
        PAUSE,
        RESUME,
        STOP,
        KILL,
        TERMINATE,
        RUN_VCPU,
        RESET,
        INJECT_NMI,
        DELETE
    }

    /** Where each method leads, by the state it is allowed in; null is "gone". */
    private static final Map<Method, Map<State, State>> TABLE = new EnumMap<>(Method.class);

    static {
        row(Method.START, State.RUNNING, State.READY);
        row(Method.PAUSE, State.PAUSED, State.RUNNING);
        row(Method.RESUME, State.RUNNING, State.PAUSED);
        row(Method.STOP, State.STOPPED, State.RUNNING, State.PAUSED);
        row(Method.KILL, State.STOPPED, State.READY, State.RUNNING, State.PAUSED);
        row(Method.TERMINATE, State.STOPPED, State.READY, State.STOPPED, State.FAILED);
        row(Method.DELETE, null, State.READY, State.STOPPED, State.FAILED);
        TABLE.put(Method.RUN_VCPU, Map.of(State.READY, State.READY, State.PAUSED, State.PAUSED));
    }

    private static void row(Method method, State to, State... from) {
        Map<State, State> row = new EnumMap<>(State.class);
        for (State state : from) {
            row.put(state, to);
        }
        TABLE.put(method, row);
    }

    /** A trust domain as the oracle has it. */
    private static final class Expected {
        State state = State.READY;
        String program = "idle";
        String displayName = "";
        boolean hasKey = true;
    }

    @ConfigProperty(name = "quarkus.grpc.server.test-port")
    int port;

    private GrpcLab lab;
    private int keyIdsFree;
    private final Map<String, Expected> oracle = new TreeMap<>();

    @BeforeEach
    void connect() {
        lab = new GrpcLab(port);
        keyIdsFree = lab.memory().getKeyIds().getFree();
    }

    @AfterEach
    void everythingIsAsBefore() {
        lab.close();
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4})
    void anyMethods_leadWhereTheDocumentationSays_andNowhereElse(long seed) {
        Random random = new Random(seed);
        Method[] methods = Method.values();
        for (int step = 0; step < STEPS; step++) {
            String id = "states-" + random.nextInt(NAMES);
            Method method = methods[random.nextInt(methods.length)];
            String where = "seed " + seed + " step " + step + ": " + method + " of " + id;
            step(where, method, id, random);
            check(where);
        }
    }

    private void step(String where, Method wanted, String id, Random random) {
        Expected td = oracle.get(id);
        // A program that ends by itself would end in the client's hand instead of after START.
        boolean ends = td != null && !td.program.equals("idle");
        Method method = ends && wanted == Method.RUN_VCPU ? Method.GET : wanted;
        String program = PROGRAMS[random.nextInt(PROGRAMS.length)];
        String reason = attempt(() -> call(method, id, program, where));
        assertThat(reason).as(where).isEqualTo(expectedReason(method, td));
        if (reason.isEmpty()) {
            move(method, id, td, program, where);
        }
    }

    /** The reason of the refusal that the documentation asks for, or nothing. */
    private static String expectedReason(Method method, Expected td) {
        if (method == Method.CREATE) {
            return td == null ? "" : "ALREADY_EXISTS";
        }
        if (td == null) {
            return "NOT_FOUND";
        }
        if (method == Method.GET || method == Method.UPDATE) {
            return "";
        }
        if (method == Method.RESET || method == Method.INJECT_NMI) {
            return "NOT_ALLOWED_BY_TDX";
        }
        return TABLE.get(method).containsKey(td.state) ? "" : "WRONG_STATE";
    }

    private void move(Method method, String id, Expected td, String program, String where) {
        switch (method) {
            case CREATE -> {
                Expected fresh = new Expected();
                fresh.program = program;
                oracle.put(id, fresh);
            }
            case UPDATE -> td.displayName = where;
            case GET, RESET, INJECT_NMI -> {}
            case DELETE -> oracle.remove(id);
            default -> {
                td.state = TABLE.get(method).get(td.state);
                td.hasKey &= method != Method.TERMINATE;
                if (method == Method.START && !td.program.equals("idle")) {
                    td.state = td.program.equals("shutdown") ? State.STOPPED : State.FAILED;
                    awaitState(id, td.state);
                }
            }
        }
    }

    private void awaitState(String id, State state) {
        var _ =
                lab.trustDomains()
                        .waitTrustDomain(
                                WaitTrustDomainRequest.newBuilder()
                                        .setName(name(id))
                                        .addStates(state)
                                        .build());
    }

    private void check(String where) {
        List<TrustDomain> there = new ArrayList<>();
        lab.trustDomains()
                .listTrustDomains(ListTrustDomainsRequest.getDefaultInstance())
                .getTrustDomainsList()
                .forEach(there::add);
        assertThat(there)
                .as(where)
                .extracting(TrustDomain::getName)
                .containsExactlyElementsOf(oracle.keySet().stream().map(id -> name(id)).toList());
        int keys = 0;
        for (TrustDomain td : there) {
            Expected expected = oracle.get(td.getName().substring("trustDomains/".length()));
            assertThat(td.getState()).as(where).isEqualTo(expected.state);
            assertThat(td.getKeyId() != 0).as(where).isEqualTo(expected.hasKey);
            assertThat(td.hasFailure()).as(where).isEqualTo(expected.state == State.FAILED);
            assertThat(td.getDisplayName()).as(where).isEqualTo(expected.displayName);
            assertThat(td.getMemory().getPrivatePages()).as(where).isPositive();
            keys += expected.hasKey ? 1 : 0;
        }
        assertThat(lab.memory().getKeyIds().getFree()).as(where).isEqualTo(keyIdsFree - keys);
    }

    /** The reason why a call was refused, or nothing. */
    private static String attempt(Runnable call) {
        try {
            call.run();
            return "";
        } catch (StatusRuntimeException refused) {
            return GrpcLab.reason(refused);
        }
    }

    private void call(Method method, String id, String program, String where) {
        String name = name(id);
        TrustDomainsBlockingStub tds = lab.trustDomains();
        Object answer =
                switch (method) {
                    case CREATE -> finish(tds.createTrustDomain(creation(id, program)));
                    case GET ->
                            tds.getTrustDomain(
                                    GetTrustDomainRequest.newBuilder().setName(name).build());
                    case UPDATE ->
                            tds.updateTrustDomain(
                                    UpdateTrustDomainRequest.newBuilder()
                                            .setTrustDomain(
                                                    creation(id, program)
                                                            .getTrustDomain()
                                                            .toBuilder()
                                                            .setName(name)
                                                            .setDisplayName(where))
                                            .setUpdateMask(
                                                    FieldMask.newBuilder().addPaths("display_name"))
                                            .build());
                    case START ->
                            tds.startTrustDomain(
                                    StartTrustDomainRequest.newBuilder().setName(name).build());
                    case PAUSE ->
                            tds.pauseTrustDomain(
                                    PauseTrustDomainRequest.newBuilder().setName(name).build());
                    case RESUME ->
                            tds.resumeTrustDomain(
                                    ResumeTrustDomainRequest.newBuilder().setName(name).build());
                    case STOP ->
                            tds.stopTrustDomain(
                                    StopTrustDomainRequest.newBuilder().setName(name).build());
                    case KILL ->
                            tds.killTrustDomain(
                                    KillTrustDomainRequest.newBuilder().setName(name).build());
                    case TERMINATE ->
                            tds.terminateTrustDomain(
                                    TerminateTrustDomainRequest.newBuilder().setName(name).build());
                    case RUN_VCPU ->
                            VcpusGrpc.newBlockingStub(lab.channel())
                                    .withDeadlineAfter(30, TimeUnit.SECONDS)
                                    .runVcpu(
                                            RunVcpuRequest.newBuilder()
                                                    .setName(name + "/vcpus/0")
                                                    .build());
                    case RESET ->
                            tds.resetTrustDomain(
                                    ResetTrustDomainRequest.newBuilder().setName(name).build());
                    case INJECT_NMI ->
                            tds.injectNmi(InjectNmiRequest.newBuilder().setName(name).build());
                    case DELETE ->
                            finish(
                                    tds.deleteTrustDomain(
                                            DeleteTrustDomainRequest.newBuilder()
                                                    .setName(name)
                                                    .build()));
                };
        assertThat(answer).isNotNull();
    }

    private Operation finish(Operation operation) {
        Operation done = lab.finish(operation);
        if (done.hasError()) {
            throw StatusProto.toStatusRuntimeException(done.getError());
        }
        return done;
    }

    private static CreateTrustDomainRequest creation(String id, String program) {
        return CreateTrustDomainRequest.newBuilder()
                .setTrustDomainId(id)
                .setTrustDomain(
                        TrustDomain.newBuilder()
                                .setMemoryBytes(16 << 20)
                                .setGuestProgram(GuestProgram.newBuilder().setText(program)))
                .build();
    }

    private static String name(String id) {
        return "trustDomains/" + id;
    }
}
