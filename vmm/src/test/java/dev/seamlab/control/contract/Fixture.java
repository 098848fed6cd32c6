// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.contract;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.longrunning.DeleteOperationRequest;
import com.google.longrunning.ListOperationsRequest;
import com.google.longrunning.Operation;
import com.google.longrunning.OperationsGrpc;
import com.google.longrunning.WaitOperationRequest;
import com.google.protobuf.Message;
import com.google.protobuf.TextFormat;
import com.google.rpc.Code;
import dev.seamlab.control.GrpcLab;
import dev.seamlab.v1.DeleteFaultRequest;
import dev.seamlab.v1.DeleteSandboxRequest;
import dev.seamlab.v1.DeleteVmRequest;
import dev.seamlab.v1.FaultsGrpc;
import dev.seamlab.v1.KvmGrpc;
import dev.seamlab.v1.ListFaultsRequest;
import dev.seamlab.v1.ListSandboxesRequest;
import dev.seamlab.v1.ListVmsRequest;
import dev.seamlab.v1.SeamcallsGrpc;
import dev.seamlab.v1.SetCpuOnlineRequest;
import io.grpc.ManagedChannel;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Resources for requests, made when a request wants them. Requests are written in protobuf's text
 * format, with names such as {@code $td:RUNNING} where a resource has to stand:
 *
 * <pre>
 *   $td, $vm, $fault, $sandbox, $operation    one that all requests share
 *   $td:READY (RUNNING, PAUSED), $vm:0 (to 4), $fault:new, $sandbox:new, $operation:new
 *                                             one of its own, in that state
 *   $td:BUSY                                  one that is READY, and whose guest never ends
 *   $id, $uuid                                an id that nothing has
 * </pre>
 */
final class Fixture implements AutoCloseable {
    private static final Pattern PLACE = Pattern.compile("\\$([a-z]+)(?::(\\w+))?");

    /** What moves a virtual machine from one stage to the next. */
    private static final List<List<String>> STAGES =
            List.of(
                    List.of(),
                    List.of(
                            "SetMemoryRegion",
                            "memory_region { size_bytes: 0x400000 }",
                            "InitVm",
                            "xfam: 3 cpuid { function: 0x80000008 eax: 0x300000 }"),
                    List.of("CreateVcpu", ""),
                    List.of(
                            "InitVcpu",
                            "",
                            "SetMemoryAttributes",
                            "size_bytes: 0x400000 attribute: MEMORY_ATTRIBUTE_PRIVATE",
                            "InitMemRegion",
                            "gpa: 0x3000 page_count: 1"),
                    List.of("FinalizeVm", ""));

    private final GrpcLab lab;
    private final Map<String, String> shared = new HashMap<>();
    private int serial;

    Fixture(int port) {
        lab = new GrpcLab(port);
    }

    ManagedChannel channel() {
        return lab.channel();
    }

    GrpcLab lab() {
        return lab;
    }

    /** A request with resources of its own where it asks for them. */
    Message request(Rpc rpc, String text) {
        return parse(rpc, text, false);
    }

    /** A request that will be refused before anybody looks at its resources: all are shared. */
    Message dry(Rpc rpc, String text) {
        return parse(rpc, text, true);
    }

    private Message parse(Rpc rpc, String text, boolean dry) {
        Matcher matcher = PLACE.matcher(text);
        String filled =
                matcher.replaceAll(place -> {
                    String kind = place.group(1);
                    String state = place.group(2);
                    boolean own = kind.equals("id") || kind.equals("uuid");
                    if (!own && (dry || state == null)) {
                        return shared.computeIfAbsent(kind, k -> make(k, "0"));
                    }
                    return make(kind, state == null ? "0" : state);
                });
        Message.Builder request = rpc.request().toBuilder();
        try {
            TextFormat.merge(filled, request);
        } catch (TextFormat.ParseException e) {
            throw new AssertionError(rpc + ": " + filled, e);
        }
        return request.build();
    }

    private String make(String kind, String state) {
        String id = "contract-" + serial++;
        return switch (kind) {
            case "id" -> id;
            case "uuid" -> UUID.randomUUID().toString();
            case "td" -> td(id, state);
            case "vm" -> vm(id, state.equals("new") ? 0 : Integer.parseInt(state));
            case "fault" ->
                    name(
                            "Faults/CreateFault",
                            "fault { leaf: 'TDH.SYS.SHUTDOWN' nth: 1 status: 'OPERAND_BUSY' }");
            case "sandbox" -> name("Seamcalls/CreateSandbox", "");
            case "operation" ->
                    name(
                            "TrustDomains/DeleteTrustDomain",
                            "name: 'trustDomains/nobody' allow_missing: true");
            default -> throw new AssertionError("no resource of kind " + kind);
        };
    }

    private String td(String id, String state) {
        String name = lab.create(id, state.equals("BUSY") ? GrpcLab.FOR_EVER : "idle");
        if (state.equals("0")) {
            call(
                    "Memory/ConvertMemory",
                    "name: '"
                            + name
                            + "' gpa: 0xA00000 size_bytes: 4096 attribute: MEMORY_ATTRIBUTE_SHARED");
        }
        if (state.equals("RUNNING") || state.equals("PAUSED")) {
            call("TrustDomains/StartTrustDomain", "name: '" + name + "'");
        }
        if (state.equals("PAUSED")) {
            call("TrustDomains/PauseTrustDomain", "name: '" + name + "'");
        }
        return name;
    }

    private String vm(String id, int stage) {
        String name = name("Kvm/CreateVm", "vm_id: '" + id + "'");
        for (int s = 1; s <= stage; s++) {
            List<String> steps = STAGES.get(s);
            for (int i = 0; i < steps.size(); i += 2) {
                call("Kvm/" + steps.get(i), "name: '" + name + "' " + steps.get(i + 1));
            }
        }
        return name;
    }

    /** Calls a method and returns the name of what it answers. */
    private String name(String method, String text) {
        Message made = call(method, text);
        return (String) made.getField(made.getDescriptorForType().findFieldByName("name"));
    }

    Message call(String method, String text) {
        Rpc rpc = Api.rpc(method);
        return finish(rpc.call(channel(), request(rpc, text)));
    }

    /** Waits for an operation, which must succeed; other answers are done already. */
    Message finish(Message answer) {
        if (!(answer instanceof Operation begun)) {
            return answer;
        }
        Operation now = begun;
        while (!now.getDone()) {
            now =
                    operations()
                            .waitOperation(
                                    WaitOperationRequest.newBuilder()
                                            .setName(now.getName())
                                            .build());
        }
        assertThat(now.getError().getCode())
                .as(now.getError().getMessage())
                .isEqualTo(Code.OK_VALUE);
        return now;
    }

    private OperationsGrpc.OperationsBlockingStub operations() {
        return OperationsGrpc.newBlockingStub(channel()).withDeadlineAfter(30, TimeUnit.SECONDS);
    }

    /** Takes everything away; the host has to be sound and as it was at the start. */
    @Override
    public void close() {
        lab
                .host()
                .listCpus(dev.seamlab.v1.ListCpusRequest.getDefaultInstance())
                .getCpusList()
                .stream()
                .filter(cpu -> !cpu.getOnline())
                .forEach(cpu ->
                        assertThat(
                                        lab.host()
                                                .setCpuOnline(
                                                        SetCpuOnlineRequest.newBuilder()
                                                                .setCpu(cpu.getCpu())
                                                                .setOnline(true)
                                                                .build())
                                                .getOnline())
                                .isTrue());
        FaultsGrpc.FaultsBlockingStub faults = FaultsGrpc.newBlockingStub(channel());
        faults.listFaults(ListFaultsRequest.newBuilder().setPageSize(1000).build())
                .getFaultsList()
                .forEach(fault -> {
                    var _ =
                            faults.deleteFault(
                                    DeleteFaultRequest.newBuilder()
                                            .setName(fault.getName())
                                            .build());
                });
        KvmGrpc.KvmBlockingStub kvm = KvmGrpc.newBlockingStub(channel());
        kvm.listVms(ListVmsRequest.newBuilder().setPageSize(1000).build())
                .getVmsList()
                .forEach(vm -> {
                    var _ =
                            kvm.deleteVm(
                                    DeleteVmRequest.newBuilder().setName(vm.getName()).build());
                });
        SeamcallsGrpc.SeamcallsBlockingStub seamcalls = SeamcallsGrpc.newBlockingStub(channel());
        seamcalls
                .listSandboxes(ListSandboxesRequest.getDefaultInstance())
                .getSandboxesList()
                .forEach(sandbox -> {
                    var _ =
                            seamcalls.deleteSandbox(
                                    DeleteSandboxRequest.newBuilder()
                                            .setName(sandbox.getName())
                                            .build());
                });
        for (Operation operation :
                operations()
                        .listOperations(
                                ListOperationsRequest.newBuilder().setPageSize(1000).build())
                        .getOperationsList()) {
            if (operation.getDone()) {
                var _ =
                        operations()
                                .deleteOperation(
                                        DeleteOperationRequest.newBuilder()
                                                .setName(operation.getName())
                                                .build());
            }
        }
        lab.close();
    }
}
