// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.fault;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.google.longrunning.Operation;
import com.google.longrunning.OperationsGrpc;
import com.google.longrunning.WaitOperationRequest;
import com.google.protobuf.Any;
import com.google.protobuf.util.Durations;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import dev.seamlab.v1.AllocationSite;
import dev.seamlab.v1.AuditGrpc;
import dev.seamlab.v1.CreateFaultRequest;
import dev.seamlab.v1.CreateTrustDomainRequest;
import dev.seamlab.v1.DeleteFaultRequest;
import dev.seamlab.v1.DeleteTrustDomainRequest;
import dev.seamlab.v1.Fault;
import dev.seamlab.v1.FaultsGrpc;
import dev.seamlab.v1.GetFaultRequest;
import dev.seamlab.v1.GuestProgram;
import dev.seamlab.v1.ListAllocationSitesRequest;
import dev.seamlab.v1.ListFaultsRequest;
import dev.seamlab.v1.ListFaultsResponse;
import dev.seamlab.v1.ListTrustDomainsRequest;
import dev.seamlab.v1.RunAuditRequest;
import dev.seamlab.v1.SeamcallRequest;
import dev.seamlab.v1.SeamcallsGrpc;
import dev.seamlab.v1.TrustDomain;
import dev.seamlab.v1.TrustDomainsGrpc;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import io.quarkus.test.junit.QuarkusTest;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Faults on purpose over real gRPC; each test leaves no fault, no trust domain and a sound host.
 */
@QuarkusTest
class FaultsServiceTest {
    private static final long TDX_FEATURES0 = 0x0A00_0003_0000_0008L;

    @ConfigProperty(name = "quarkus.grpc.server.test-port")
    int port;

    private ManagedChannel channel;

    @BeforeEach
    void connect() {
        channel = ManagedChannelBuilder.forAddress("127.0.0.1", port).usePlaintext().build();
    }

    @AfterEach
    void nothingStaysAndTheHostIsSound() {
        try {
            all().forEach(fault -> delete(fault.getName()));
            for (TrustDomain td :
                    tds().listTrustDomains(ListTrustDomainsRequest.getDefaultInstance())
                            .getTrustDomainsList()) {
                finish(
                        tds().deleteTrustDomain(
                                        DeleteTrustDomainRequest.newBuilder()
                                                .setName(td.getName())
                                                .build()));
            }
            assertThat(
                            AuditGrpc.newBlockingStub(channel)
                                    .runAudit(RunAuditRequest.getDefaultInstance())
                                    .getFindingsList())
                    .isEmpty();
        } finally {
            channel.shutdownNow();
        }
    }

    @Test
    void fault_atTheSecondCallForTwoCalls_strikesThoseAndIsSpent() {
        String name = create(sysRd().setNth(2).setTimes(2).build()).getName();
        assertThat(List.of(call(), call(), call(), call()))
                .containsExactly("SUCCESS", "SYS_BUSY", "SYS_BUSY", "SUCCESS");
        Fault after = get(name);
        assertThat(after.getMatches()).isEqualTo(4);
        assertThat(after.getHits()).isEqualTo(2);
        assertThat(after.getSpent()).isTrue();
    }

    @Test
    void fault_atTheFirstCallWithoutTimes_strikesOnce() {
        create(sysRd().setNth(1).build());
        assertThat(List.of(call(), call())).containsExactly("SYS_BUSY", "SUCCESS");
    }

    @Test
    void fault_withProbability_strikesTheSameCallsForTheSameSeed() {
        List<String> first = ofSixtyFourCalls(7);
        assertThat(ofSixtyFourCalls(7)).isEqualTo(first);
        assertThat(ofSixtyFourCalls(8)).isNotEqualTo(first);
        assertThat(first).contains("SUCCESS", "SYS_BUSY");
    }

    private List<String> ofSixtyFourCalls(long seed) {
        String name = create(sysRd().setProbability(0.5).setSeed(seed).build()).getName();
        List<String> answers = new ArrayList<>();
        for (int i = 0; i < 64; i++) {
            answers.add(call());
        }
        assertThat(get(name).getHits())
                .isEqualTo(answers.stream().filter(a -> a.equals("SYS_BUSY")).count());
        assertThat(get(name).getSpent()).isFalse();
        delete(name);
        return answers;
    }

    @Test
    void fault_withAnOperand_answersTheWholeWord() {
        create(
                Fault.newBuilder()
                        .setLeaf("sys.rd")
                        .setStatus("OPERAND_BUSY|SEPT_TREE")
                        .setNth(1)
                        .build());
        assertThat(rawCall(0).getRegisters().getRax()).isEqualTo(0x8000_0200_0000_0092L);
    }

    @Test
    void fault_withDelayAlone_letsTheCallWork() {
        create(
                Fault.newBuilder()
                        .setLeaf("TDH.SYS.RD")
                        .setDelay(Durations.fromMillis(200))
                        .setNth(1)
                        .build());
        long start = System.nanoTime();
        assertThat(call()).isEqualTo("SUCCESS");
        assertThat(System.nanoTime() - start).isGreaterThanOrEqualTo(200_000_000L);
    }

    @Test
    void fault_thatDelays_letsGoWhenItIsDeleted() throws Exception {
        String name =
                create(
                                Fault.newBuilder()
                                        .setLeaf("TDH.SYS.RD")
                                        .setDelay(Durations.fromSeconds(10))
                                        .setNth(1)
                                        .build())
                        .getName();
        Thread caller = Thread.ofVirtual().start(this::call);
        org.awaitility.Awaitility.await().until(() -> get(name).getHits() == 1);
        delete(name);
        assertThat(caller.join(java.time.Duration.ofSeconds(8))).isTrue();
    }

    @Test
    void fault_ofOneCpu_leavesTheOthersAlone() {
        create(sysRd().setNth(1).setTimes(2).setCpu(1).build());
        assertThat(rawCall(0).getStatus().getName()).isEqualTo("SUCCESS");
        assertThat(rawCall(1).getStatus().getName()).isEqualTo("SYS_BUSY");
    }

    @Test
    void fault_ofOneTrustDomain_hitsItsBuildAndNoOther() {
        String name =
                create(
                                Fault.newBuilder()
                                        .setLeaf("TDH.MNG.CREATE")
                                        .setStatus("OPERAND_BUSY|TDR")
                                        .setNth(1)
                                        .setTrustDomain("trustDomains/chosen")
                                        .build())
                        .getName();
        assertThat(build("other").hasResponse()).isTrue();
        assertThat(get(name).getMatches()).isZero();
        Operation refused = build("chosen");
        assertThat(refused.getError().getCode()).isEqualTo(com.google.rpc.Code.ABORTED.getNumber());
        assertThat(get(name).getHits()).isEqualTo(1);
        assertThat(build("chosen").hasResponse()).isTrue();
    }

    @Test
    void fault_ofAnAllocationSite_makesMemoryRunOutThereAndNowhereElse() {
        String name =
                create(Fault.newBuilder().setAllocationSite("control").setNth(1).build()).getName();
        Operation refused = build("dry");
        assertThat(refused.getError().getCode())
                .isEqualTo(com.google.rpc.Code.RESOURCE_EXHAUSTED.getNumber());
        assertThat(get(name).getHits()).isEqualTo(1);
        assertThat(build("dry").hasResponse()).isTrue();
    }

    @Test
    void fault_sentTwiceWithOneRequestId_isArmedOnce() {
        CreateFaultRequest request =
                CreateFaultRequest.newBuilder()
                        .setFault(sysRd().setNth(5))
                        .setRequestId(UUID.randomUUID().toString())
                        .build();
        Fault first = faults().createFault(request);
        assertThat(faults().createFault(request)).isEqualTo(first);
        assertThat(all()).hasSize(1);
        assertThat(
                        code(() ->
                                faults().createFault(
                                                request.toBuilder().setFaultId("other").build())))
                .isEqualTo(Status.Code.ALREADY_EXISTS);
    }

    @Test
    void fault_onlyToValidate_isNotArmed() {
        Fault answer =
                faults().createFault(
                                CreateFaultRequest.newBuilder()
                                        .setFaultId("dry")
                                        .setFault(sysRd().setNth(1))
                                        .setValidateOnly(true)
                                        .build());
        assertThat(answer.getName()).isEqualTo("faults/dry");
        assertThat(answer.getLeaf()).isEqualTo("TDH.SYS.RD");
        assertThat(all()).isEmpty();
        assertThat(call()).isEqualTo("SUCCESS");
    }

    @Test
    void fault_underATakenName_isRefused() {
        CreateFaultRequest request =
                CreateFaultRequest.newBuilder()
                        .setFaultId("one")
                        .setFault(sysRd().setNth(1))
                        .build();
        assertThat(faults().createFault(request).getName()).isEqualTo("faults/one");
        assertThat(code(() -> faults().createFault(request))).isEqualTo(Status.Code.ALREADY_EXISTS);
    }

    @ParameterizedTest
    @CsvSource({
        "TDH.NO.SUCH,, SYS_BUSY, -1, fault.leaf",
        "TDH.SYS.RD,, NO_SUCH_STATUS, -1, fault.status",
        "TDH.SYS.RD,, OPERAND_BUSY|NOBODY, -1, fault.status",
        "TDH.SYS.RD,, SUCCESS, -1, fault.status",
        "TDH.SYS.RD,, '', -1, fault.status",
        "TDH.SYS.RD,, SYS_BUSY, 4000, fault.cpu",
        ", no-such-site, '', -1, fault.allocation_site",
        ", resident, '', -1, fault.allocation_site",
        ", sept, SYS_BUSY, -1, fault.status"
    })
    void fault_thatMakesNoSense_isRefusedWithTheField(
            String leaf, String site, String status, int cpu, String field) throws Exception {
        Fault.Builder fault = Fault.newBuilder().setStatus(status).setNth(1);
        if (leaf == null) {
            fault.setAllocationSite(site);
        } else {
            fault.setLeaf(leaf);
        }
        if (cpu >= 0) {
            fault.setCpu(cpu);
        }
        assertThat(fields(fault)).containsExactly(field);
    }

    @Test
    void fault_withoutTargetOrTrigger_isRefused() throws Exception {
        assertThat(fields(Fault.newBuilder())).contains("target", "trigger");
    }

    private List<String> fields(Fault.Builder fault) throws Exception {
        StatusRuntimeException refused =
                catchThrowableOfType(StatusRuntimeException.class, () -> create(fault.build()));
        assertThat(refused.getStatus().getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
        for (Any any : StatusProto.fromThrowable(refused).getDetailsList()) {
            if (any.is(BadRequest.class)) {
                return any.unpack(BadRequest.class).getFieldViolationsList().stream()
                        .map(BadRequest.FieldViolation::getField)
                        .map(field -> field.substring(field.startsWith("fault.t") ? 6 : 0))
                        .toList();
            }
        }
        throw new AssertionError("no field in " + refused);
    }

    @Test
    void fault_beyondTheLimit_isAQuotaFailure() throws Exception {
        for (int i = 0; i < FaultStore.MAX; i++) {
            create(sysRd().setNth(1_000_000).build());
        }
        StatusRuntimeException refused =
                catchThrowableOfType(
                        StatusRuntimeException.class, () -> create(sysRd().setNth(1).build()));
        assertThat(refused.getStatus().getCode()).isEqualTo(Status.Code.RESOURCE_EXHAUSTED);
        assertThat(
                        StatusProto.fromThrowable(refused)
                                .getDetails(0)
                                .unpack(ErrorInfo.class)
                                .getReason())
                .isEqualTo("TOO_MANY_FAULTS");
    }

    @Test
    void list_inPagesWhileOneGoes_findsTheOthersOnce() {
        for (int i = 0; i < 5; i++) {
            var _ =
                    faults().createFault(
                                    CreateFaultRequest.newBuilder()
                                            .setFaultId("page-" + i)
                                            .setFault(sysRd().setNth(100))
                                            .build());
        }
        ListFaultsResponse first =
                faults().listFaults(ListFaultsRequest.newBuilder().setPageSize(2).build());
        delete("faults/page-1");
        ListFaultsResponse rest =
                faults().listFaults(
                                ListFaultsRequest.newBuilder()
                                        .setPageToken(first.getNextPageToken())
                                        .build());
        assertThat(first.getFaultsList())
                .extracting(Fault::getName)
                .containsExactly("faults/page-0", "faults/page-1");
        assertThat(rest.getFaultsList())
                .extracting(Fault::getName)
                .containsExactly("faults/page-2", "faults/page-3", "faults/page-4");
        assertThat(rest.getNextPageToken()).isEmpty();
        assertThat(
                        code(() ->
                                faults().listFaults(
                                                ListFaultsRequest.newBuilder()
                                                        .setPageToken("mine")
                                                        .build())))
                .isEqualTo(Status.Code.INVALID_ARGUMENT);
    }

    @Test
    void fault_thatIsNotThere_isNotFound() {
        assertThat(code(() -> get("faults/nobody"))).isEqualTo(Status.Code.NOT_FOUND);
        assertThat(code(() -> delete("faults/nobody"))).isEqualTo(Status.Code.NOT_FOUND);
    }

    @Test
    void sites_areWhereMemoryIsAllocated_byName() {
        List<String> names =
                faults()
                        .listAllocationSites(ListAllocationSitesRequest.getDefaultInstance())
                        .getSitesList()
                        .stream()
                        .map(AllocationSite::getName)
                        .toList();
        assertThat(names)
                .isSorted()
                .contains("pamt-pair", "sept", "control", "pool")
                .doesNotContain("resident", "leaked");
    }

    // ------------------------------------------------------------------ helpers

    private static Fault.Builder sysRd() {
        return Fault.newBuilder().setLeaf("SYS.RD").setStatus("SYS_BUSY");
    }

    private Fault create(Fault fault) {
        return faults().createFault(CreateFaultRequest.newBuilder().setFault(fault).build());
    }

    private Fault get(String name) {
        return faults().getFault(GetFaultRequest.newBuilder().setName(name).build());
    }

    private com.google.protobuf.Empty delete(String name) {
        return faults().deleteFault(DeleteFaultRequest.newBuilder().setName(name).build());
    }

    private List<Fault> all() {
        return faults().listFaults(ListFaultsRequest.newBuilder().setPageSize(1000).build())
                .getFaultsList();
    }

    private String call() {
        return rawCall(0).getStatus().getName();
    }

    private dev.seamlab.v1.SeamcallResponse rawCall(int cpu) {
        return SeamcallsGrpc.newBlockingStub(channel)
                .withDeadlineAfter(30, TimeUnit.SECONDS)
                .call(
                        SeamcallRequest.newBuilder()
                                .setCpu(cpu)
                                .setLeaf(
                                        dev.seamlab.v1.LeafSelector.newBuilder()
                                                .setName("TDH.SYS.RD"))
                                .setRegisters(
                                        dev.seamlab.v1.Registers.newBuilder().setRdx(TDX_FEATURES0))
                                .build());
    }

    private Operation build(String id) {
        return finish(
                tds().createTrustDomain(
                                CreateTrustDomainRequest.newBuilder()
                                        .setTrustDomainId(id)
                                        .setTrustDomain(
                                                TrustDomain.newBuilder()
                                                        .setMemoryBytes(16 << 20)
                                                        .setGuestProgram(
                                                                GuestProgram.newBuilder()
                                                                        .setText("idle")))
                                        .build()));
    }

    private Operation finish(Operation operation) {
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

    private FaultsGrpc.FaultsBlockingStub faults() {
        return FaultsGrpc.newBlockingStub(channel).withDeadlineAfter(30, TimeUnit.SECONDS);
    }

    private TrustDomainsGrpc.TrustDomainsBlockingStub tds() {
        return TrustDomainsGrpc.newBlockingStub(channel).withDeadlineAfter(30, TimeUnit.SECONDS);
    }

    private static Status.Code code(Supplier<?> call) {
        return catchThrowableOfType(StatusRuntimeException.class, call::get).getStatus().getCode();
    }
}
