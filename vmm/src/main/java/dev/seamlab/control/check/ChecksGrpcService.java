// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.check;

import com.google.longrunning.Operation;
import dev.seamlab.check.Program;
import dev.seamlab.check.Scenario;
import dev.seamlab.check.Variant;
import dev.seamlab.check.Verb;
import dev.seamlab.control.call.Calls;
import dev.seamlab.control.call.Rejection;
import dev.seamlab.control.operation.OperationStore;
import dev.seamlab.control.operation.RequestIds;
import dev.seamlab.control.operation.StoredOperation;
import dev.seamlab.v1.CheckScenario;
import dev.seamlab.v1.ChecksGrpc;
import dev.seamlab.v1.ListCheckScenariosRequest;
import dev.seamlab.v1.ListCheckScenariosResponse;
import dev.seamlab.v1.RunCheckRequest;
import io.grpc.stub.StreamObserver;
import io.quarkus.grpc.GrpcService;
import io.smallrye.common.annotation.RunOnVirtualThread;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/** {@code seamlab check}, over gRPC. */
@GrpcService
@RunOnVirtualThread
public class ChecksGrpcService extends ChecksGrpc.ChecksImplBase {
    private final Calls calls;
    private final OperationStore operations;
    private final RequestIds requestIds;
    private final CheckRunner runner;

    ChecksGrpcService(
            Calls calls, OperationStore operations, RequestIds requestIds, CheckRunner runner) {
        this.calls = calls;
        this.operations = operations;
        this.requestIds = requestIds;
        this.runner = runner;
    }

    @Override
    public void runCheck(RunCheckRequest request, StreamObserver<Operation> out) {
        calls.unary(
                request, out, r -> requestIds.once(r.getRequestId(), r, () -> start(r)).toProto());
    }

    @Override
    public void listCheckScenarios(
            ListCheckScenariosRequest request, StreamObserver<ListCheckScenariosResponse> out) {
        calls.unary(request, out, r -> scenarios());
    }

    private StoredOperation start(RunCheckRequest request) {
        Program program = program(request);
        List<String> variants = variants(request, program);
        CheckRun run = new CheckRun(program.toString(), variants, request);
        StoredOperation started =
                runner.start(() ->
                        operations.start(
                                "check",
                                "",
                                operation -> runner.run(run, operation::isCancelRequested)));
        started.describeBy(run::metadata);
        return started;
    }

    private static Program program(RunCheckRequest request) {
        if (request.hasScenario()) {
            return Arrays.stream(Scenario.values())
                    .filter(scenario -> scenario.id().equals(request.getScenario()))
                    .map(scenario -> Program.parse(scenario.text()))
                    .findFirst()
                    .orElseThrow(() ->
                            Rejection.invalid(
                                    "scenario",
                                    "there is no \""
                                            + request.getScenario()
                                            + "\"; there are "
                                            + Arrays.stream(Scenario.values())
                                                    .map(Scenario::id)
                                                    .collect(Collectors.joining(", "))));
        }
        try {
            return Scenario.program(request.getProgram());
        } catch (IllegalArgumentException e) {
            throw Rejection.invalid("program", String.valueOf(e.getMessage()));
        }
    }

    /** Each once, in the order asked for. */
    private static List<String> variants(RunCheckRequest request, Program program) {
        Set<String> names = new LinkedHashSet<>();
        List<String> asked =
                request.getVariantsCount() == 0 ? List.of("all") : request.getVariantsList();
        for (int i = 0; i < asked.size(); i++) {
            try {
                Variant.byName(asked.get(i), program.room())
                        .forEach(variant -> names.add(variant.name()));
            } catch (IllegalArgumentException e) {
                throw Rejection.invalid("variants[" + i + "]", String.valueOf(e.getMessage()));
            }
        }
        return new ArrayList<>(names);
    }

    private static ListCheckScenariosResponse scenarios() {
        ListCheckScenariosResponse.Builder response = ListCheckScenariosResponse.newBuilder();
        for (Scenario scenario : Scenario.values()) {
            response.addScenarios(
                    CheckScenario.newBuilder()
                            .setName(scenario.id())
                            .setDescription(scenario.description() + ": " + scenario.text()));
        }
        for (Verb.Room room : Verb.Room.values()) {
            Variant.all(room).forEach(variant -> response.addVariants(variant.name()));
        }
        return response.build();
    }
}
