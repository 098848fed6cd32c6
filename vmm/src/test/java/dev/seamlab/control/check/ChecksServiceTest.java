// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.check;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.awaitility.Awaitility.await;

import com.google.longrunning.CancelOperationRequest;
import com.google.longrunning.GetOperationRequest;
import com.google.longrunning.Operation;
import com.google.longrunning.OperationsGrpc;
import com.google.longrunning.WaitOperationRequest;
import com.google.protobuf.util.Durations;
import com.google.rpc.ErrorInfo;
import dev.seamlab.v1.CheckMetadata;
import dev.seamlab.v1.CheckReport;
import dev.seamlab.v1.CheckResult;
import dev.seamlab.v1.CheckResult.Verdict;
import dev.seamlab.v1.CheckScenario;
import dev.seamlab.v1.ChecksGrpc;
import dev.seamlab.v1.ListCheckScenariosRequest;
import dev.seamlab.v1.ListCheckScenariosResponse;
import dev.seamlab.v1.RunCheckRequest;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import io.quarkus.test.junit.QuarkusTest;
import java.time.Duration;
import java.util.UUID;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Checks over real gRPC, in real child processes. */
@QuarkusTest
class ChecksServiceTest {
    /** Too many orders for any time. */
    private static final String ENDLESS =
            "get; put; get; put; get; put | get; put; get; put; get; put | get; put; get; put";

    @ConfigProperty(name = "quarkus.grpc.server.test-port")
    int port;

    private ManagedChannel channel;

    @BeforeEach
    void connect() {
        channel = ManagedChannelBuilder.forAddress("127.0.0.1", port).usePlaintext().build();
    }

    @AfterEach
    void disconnect() {
        channel.shutdownNow();
    }

    private ChecksGrpc.ChecksBlockingStub checks() {
        return ChecksGrpc.newBlockingStub(channel);
    }

    private OperationsGrpc.OperationsBlockingStub operations() {
        return OperationsGrpc.newBlockingStub(channel);
    }

    private Operation done(Operation operation) {
        Operation now = operation;
        while (!now.getDone()) {
            now =
                    operations()
                            .waitOperation(
                                    WaitOperationRequest.newBuilder()
                                            .setName(operation.getName())
                                            .build());
        }
        return now;
    }

    private static CheckReport report(Operation operation) throws Exception {
        assertThat(operation.hasResponse()).as("%s", operation).isTrue();
        return operation.getResponse().unpack(CheckReport.class);
    }

    private static CheckMetadata metadata(Operation operation) throws Exception {
        return operation.getMetadata().unpack(CheckMetadata.class);
    }

    private void assertRefused(RunCheckRequest request, String field) {
        StatusRuntimeException e =
                catchThrowableOfType(
                        StatusRuntimeException.class, () -> checks().runCheck(request));
        assertThat(e.getStatus().getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
        assertThat(e.getStatus().getDescription()).contains(field);
    }

    @Test
    void list_namesScenariosAndVariantsThatRunCheckTakes() {
        ListCheckScenariosResponse all =
                checks().listCheckScenarios(ListCheckScenariosRequest.getDefaultInstance());
        assertThat(all.getScenariosList())
                .extracting(CheckScenario::getName)
                .contains("put-get", "fault-zap", "teardown-fault", "demote-add", "convert-storm")
                .doesNotHaveDuplicates();
        assertThat(all.getScenariosList())
                .allSatisfy(scenario -> assertThat(scenario.getDescription()).isNotBlank());
        assertThat(all.getVariantsList())
                .startsWith("global-lock", "lock-avoiding", "dec-and-lock", "always-lock")
                .contains("v4", "v4-as-posted", "v4-base", "v6", "merged", "static")
                .doesNotHaveDuplicates();
    }

    @Test
    void run_scenarioUnderTwoVariants_findsTheHoleAndItsSchedule() throws Exception {
        Operation ended =
                done(
                        checks().runCheck(
                                        RunCheckRequest.newBuilder()
                                                .setScenario("put-get")
                                                .addVariants("lock-avoiding")
                                                .addVariants("dec-and-lock")
                                                .build()));
        CheckReport report = report(ended);
        assertThat(report.getResultsList())
                .extracting(CheckResult::getVariant)
                .containsExactly("lock-avoiding", "dec-and-lock");
        CheckResult hole = report.getResults(0);
        assertThat(hole.getVerdict()).isEqualTo(Verdict.VIOLATED);
        assertThat(hole.getCounterexample().getRule()).isNotEmpty();
        assertThat(hole.getCounterexample().getDescription()).isNotEmpty();
        assertThat(hole.getCounterexample().getReplay()).isNotEmpty();
        assertThat(hole.getCounterexample().getStepsList())
                .isNotEmpty()
                .allSatisfy(step -> assertThat(step.getThread()).isBetween(0, 2));
        CheckResult sound = report.getResults(1);
        assertThat(sound.getVerdict()).isEqualTo(Verdict.EXHAUSTED_CLEAN);
        assertThat(sound.hasCounterexample()).isFalse();
        assertThat(sound.getSchedules()).isPositive();
        assertThat(Durations.toNanos(sound.getElapsed())).isPositive();
        assertThat(metadata(ended).getVariant()).isEqualTo("dec-and-lock");
    }

    @Test
    void run_timeIsUp_saysThatThereAreOthers() throws Exception {
        CheckReport report =
                report(
                        done(
                                checks().runCheck(
                                                RunCheckRequest.newBuilder()
                                                        .setProgram(ENDLESS)
                                                        .addVariants("always-lock")
                                                        .setTimeLimit(Durations.fromMillis(1))
                                                        .build())));
        assertThat(report.getResultsList())
                .singleElement()
                .extracting(CheckResult::getVerdict)
                .isEqualTo(Verdict.CLEAN_SO_FAR);
    }

    @Test
    void cancel_endsTheSearch_andFurtherChecksWaitTheirTurn() throws Exception {
        RunCheckRequest endless =
                RunCheckRequest.newBuilder()
                        .setProgram(ENDLESS)
                        .addVariants("always-lock")
                        .setTimeLimit(Durations.fromSeconds(600))
                        .build();
        RunCheckRequest named =
                endless.toBuilder().setRequestId(UUID.randomUUID().toString()).build();
        Operation first = checks().runCheck(named);
        assertThat(checks().runCheck(named).getName()).isEqualTo(first.getName());
        Operation second = checks().runCheck(endless);
        StatusRuntimeException e =
                catchThrowableOfType(
                        StatusRuntimeException.class, () -> checks().runCheck(endless));
        assertThat(e.getStatus().getCode()).isEqualTo(Status.Code.RESOURCE_EXHAUSTED);
        assertThat(StatusProto.fromThrowable(e).getDetailsList())
                .anySatisfy(detail ->
                        assertThat(detail.unpack(ErrorInfo.class).getReason())
                                .isEqualTo("TOO_MANY_CHECKS"));
        await().atMost(Duration.ofSeconds(60))
                .untilAsserted(() -> assertThat(metadata(get(first)).getSchedules()).isPositive());
        for (Operation operation : new Operation[] {first, second}) {
            operations()
                    .cancelOperation(
                            CancelOperationRequest.newBuilder()
                                    .setName(operation.getName())
                                    .build());
            Operation ended = done(operation);
            assertThat(report(ended).getResultsList()).isEmpty();
            assertThat(metadata(ended).getCancelRequested()).isTrue();
            assertThat(metadata(ended).getVariant()).isEqualTo("always-lock");
        }
        // Both places are free again.
        assertThat(
                        report(
                                        done(
                                                checks().runCheck(
                                                                RunCheckRequest.newBuilder()
                                                                        .setProgram("get; put")
                                                                        .addVariants("v6")
                                                                        .build())))
                                .getResults(0)
                                .getVerdict())
                .isEqualTo(Verdict.EXHAUSTED_CLEAN);
    }

    private Operation get(Operation operation) {
        return operations()
                .getOperation(
                        GetOperationRequest.newBuilder().setName(operation.getName()).build());
    }

    @Test
    void run_badInput_isRefusedByField() {
        assertRefused(RunCheckRequest.getDefaultInstance(), "what");
        assertRefused(RunCheckRequest.newBuilder().setScenario("nonsense").build(), "scenario");
        assertRefused(RunCheckRequest.newBuilder().setProgram("jump | get").build(), "program");
        assertRefused(RunCheckRequest.newBuilder().setProgram("--help").build(), "program");
        assertRefused(
                RunCheckRequest.newBuilder().setProgram("get").addVariants("v5").build(),
                "variants[0]");
        assertRefused(
                RunCheckRequest.newBuilder()
                        .setProgram("get")
                        .setTimeLimit(Durations.fromSeconds(3601))
                        .build(),
                "time_limit");
    }
}
