// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.it;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.google.longrunning.CancelOperationRequest;
import com.google.longrunning.GetOperationRequest;
import com.google.longrunning.Operation;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Struct;
import com.google.protobuf.util.Durations;
import com.google.protobuf.util.JsonFormat;
import dev.seamlab.v1.CheckMetadata;
import dev.seamlab.v1.CheckReport;
import dev.seamlab.v1.CheckResult;
import dev.seamlab.v1.CheckResult.Verdict;
import dev.seamlab.v1.ChecksGrpc;
import dev.seamlab.v1.RunCheckRequest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The schedule explorer in the packaged application, which starts a JVM of its own for it. */
class CheckIT {
    private static final int BROKEN = 6;
    private static final String PROGRAM = "put | get; put | get";

    /** Too many orders for any time. */
    private static final String ENDLESS =
            "get; put; get; put; get; put | get; put; get; put; get; put | get; put; get; put";

    @Test
    void lockAvoiding_showsTheHole_decAndLockIsExhaustedClean(@TempDir Path folder)
            throws IOException {
        Path json = folder.resolve("hole.json");
        Path trace = folder.resolve("hole.trace");
        Application.Result found =
                Application.run(
                        "check",
                        "--variant=lock-avoiding,dec-and-lock",
                        "--json=" + json,
                        "--perfetto=" + trace,
                        PROGRAM);
        assertThat(found.exitCode()).as(found.err()).isEqualTo(BROKEN);
        assertThat(found.out())
                .containsPattern("lock-avoiding +BROKEN I3")
                .containsPattern("dec-and-lock +clean, all schedules")
                .contains("with 1 preemption")
                .contains("CPU 0: put r0", "CPU 1: get r0; put r0", "CPU 2: get r0")
                .contains("dec refcount r0", "take pamt_lock", "PAMT.REMOVE r0")
                .contains("HPA_RANGE_NOT_FREE", "NO_PAMT_PAGE_PAIR");
        assertThat(document(json).getFieldsMap()).containsKey("reports");
        assertThat(document(trace).getFieldsMap()).containsKey("traceEvents");

        Matcher again = Pattern.compile("--replay (\\S+)").matcher(found.out());
        assertThat(again.find()).as(found.out()).isTrue();
        Application.Result replayed =
                Application.run(
                        "check", "--variant=lock-avoiding", PROGRAM, "--replay", again.group(1));
        assertThat(replayed.exitCode()).as(replayed.err()).isEqualTo(BROKEN);
        String columns = found.out().substring(found.out().indexOf("      CPU 0"));
        assertThat(replayed.out())
                .contains(columns.substring(0, columns.indexOf("again:")).stripTrailing());
    }

    private static Struct document(Path file) throws IOException {
        Struct.Builder document = Struct.newBuilder();
        JsonFormat.parser().merge(Files.readString(file), document);
        return document.build();
    }

    @Test
    void overGrpc_theServerStartsItsOwnJvm_tellsProgress_andStopsWhenCancelled()
            throws InvalidProtocolBufferException {
        try (Server server = Server.start()) {
            Operation done =
                    server.finished(
                            run(
                                    server,
                                    RunCheckRequest.newBuilder()
                                            .setProgram(PROGRAM)
                                            .addVariants("lock-avoiding")));
            CheckReport report = done.getResponse().unpack(CheckReport.class);
            assertThat(report.getResultsList())
                    .extracting(CheckResult::getVerdict)
                    .containsExactly(Verdict.VIOLATED);
            assertThat(report.getResults(0).getCounterexample().getRule()).isEqualTo("I3");

            Operation endless =
                    run(
                            server,
                            RunCheckRequest.newBuilder()
                                    .setProgram(ENDLESS)
                                    .addVariants("dec-and-lock")
                                    .setTimeLimit(Durations.fromSeconds(3600)));
            await().atMost(Duration.ofSeconds(60))
                    .untilAsserted(() ->
                            assertThat(metadata(server, endless).getSchedules()).isPositive());
            server.operations()
                    .cancelOperation(
                            CancelOperationRequest.newBuilder().setName(endless.getName()).build());
            CheckReport stopped = server.finished(endless).getResponse().unpack(CheckReport.class);
            assertThat(stopped.getResultsList()).isEmpty();
            assertThat(metadata(server, endless).getCancelRequested()).isTrue();
        }
    }

    private static Operation run(Server server, RunCheckRequest.Builder request) {
        return ChecksGrpc.newBlockingStub(server.channel()).runCheck(request.build());
    }

    private static CheckMetadata metadata(Server server, Operation operation)
            throws InvalidProtocolBufferException {
        return server.operations()
                .getOperation(GetOperationRequest.newBuilder().setName(operation.getName()).build())
                .getMetadata()
                .unpack(CheckMetadata.class);
    }
}
