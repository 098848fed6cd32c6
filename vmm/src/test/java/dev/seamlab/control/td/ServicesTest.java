// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.td;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.awaitility.Awaitility.await;

import com.google.longrunning.CancelOperationRequest;
import com.google.longrunning.DeleteOperationRequest;
import com.google.longrunning.GetOperationRequest;
import com.google.longrunning.ListOperationsRequest;
import com.google.longrunning.Operation;
import com.google.longrunning.OperationsGrpc;
import com.google.longrunning.WaitOperationRequest;
import com.google.protobuf.Any;
import com.google.protobuf.FieldMask;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.util.Durations;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.QuotaFailure;
import dev.seamlab.control.call.Limits;
import dev.seamlab.v1.AuditGrpc;
import dev.seamlab.v1.AuditReport;
import dev.seamlab.v1.CreateTrustDomainRequest;
import dev.seamlab.v1.DeleteTrustDomainRequest;
import dev.seamlab.v1.GetHostRequest;
import dev.seamlab.v1.GetMemoryReportRequest;
import dev.seamlab.v1.GetTrustDomainRequest;
import dev.seamlab.v1.GuestProgram;
import dev.seamlab.v1.HostAttribute;
import dev.seamlab.v1.HostCpu;
import dev.seamlab.v1.HostGrpc;
import dev.seamlab.v1.HostInfo;
import dev.seamlab.v1.InjectNmiRequest;
import dev.seamlab.v1.KillTrustDomainRequest;
import dev.seamlab.v1.ListTrustDomainsRequest;
import dev.seamlab.v1.ListTrustDomainsResponse;
import dev.seamlab.v1.MemoryReport;
import dev.seamlab.v1.PauseTrustDomainRequest;
import dev.seamlab.v1.ResetTrustDomainRequest;
import dev.seamlab.v1.ResumeTrustDomainRequest;
import dev.seamlab.v1.RunAuditRequest;
import dev.seamlab.v1.SetCpuOnlineRequest;
import dev.seamlab.v1.StartTrustDomainRequest;
import dev.seamlab.v1.StopTrustDomainRequest;
import dev.seamlab.v1.TrustDomain;
import dev.seamlab.v1.TrustDomain.State;
import dev.seamlab.v1.TrustDomainsGrpc;
import dev.seamlab.v1.UpdateTrustDomainRequest;
import dev.seamlab.v1.WaitTrustDomainRequest;
import dev.seamlab.v1.WaitTrustDomainResponse;
import dev.seamlab.v1.WatchTrustDomainRequest;
import dev.seamlab.v1.WatchTrustDomainResponse;
import dev.seamlab.v1.WatchTrustDomainsRequest;
import dev.seamlab.v1.WatchTrustDomainsResponse;
import io.grpc.Context;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import io.quarkus.test.junit.QuarkusTest;
import jakarta.inject.Inject;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The services over real gRPC; each test leaves the host as it found it. */
@QuarkusTest
class ServicesTest {
    private static final long SMALL = 16 << 20;
    private static final String FOR_EVER = "loop 1000000000000 { spin 1 }";

    @ConfigProperty(name = "quarkus.grpc.server.test-port")
    int port;

    @Inject Watches watches;
    @Inject Limits limits;

    private ManagedChannel channel;
    private MemoryReport before;

    @BeforeEach
    void connect() {
        channel = ManagedChannelBuilder.forAddress("127.0.0.1", port).usePlaintext().build();
        before = report();
    }

    @AfterEach
    void everythingIsAsBefore() {
        try {
            for (TrustDomain td : list(ListTrustDomainsRequest.getDefaultInstance())) {
                if (td.getState() == State.RUNNING || td.getState() == State.PAUSED) {
                    stop(td.getName());
                }
                delete(td.getName());
            }
            assertThat(report()).isEqualTo(before);
            assertThat(audit().runAudit(RunAuditRequest.getDefaultInstance()).getFindingsList())
                    .isEmpty();
        } finally {
            channel.shutdownNow();
        }
    }

    @Test
    void create_thenEveryMethod_walksThroughALife() {
        TrustDomain built = create("life", FOR_EVER);
        assertThat(built.getState()).isEqualTo(State.READY);
        assertThat(built.getMrtd().size()).isEqualTo(48);
        assertThat(built.getKeyId()).isPositive();
        assertThat(built.getFirmware().hasEmbedded()).isTrue();
        assertThat(built.getFirmware().getSha256().size()).isEqualTo(32);
        assertThat(built.getCreateTime().getSeconds()).isPositive();
        String name = built.getName();
        assertThat(start(name).getState()).isEqualTo(State.RUNNING);
        assertThat(
                        tds().pauseTrustDomain(
                                        PauseTrustDomainRequest.newBuilder().setName(name).build())
                                .getState())
                .isEqualTo(State.PAUSED);
        assertThat(
                        tds().resumeTrustDomain(
                                        ResumeTrustDomainRequest.newBuilder().setName(name).build())
                                .getState())
                .isEqualTo(State.RUNNING);
        assertThat(get(name).getState()).isEqualTo(State.RUNNING);
        assertThat(stop(name).getState()).isEqualTo(State.STOPPED);
        delete(name);
        assertThat(code(() -> get(name))).isEqualTo(Status.Code.NOT_FOUND);
    }

    @Test
    void audit_whileATrustDomainRuns_holdsItAndFindsNothing() {
        String name = create("busy", FOR_EVER).getName();
        start(name);
        AuditReport report = audit().runAudit(RunAuditRequest.getDefaultInstance());
        assertThat(report.getFindingsList()).isEmpty();
        assertThat(report.getConcurrent()).isTrue();
        assertThat(get(name).getState()).isEqualTo(State.RUNNING);
        tds().pauseTrustDomain(PauseTrustDomainRequest.newBuilder().setName(name).build());
        report = audit().runAudit(RunAuditRequest.getDefaultInstance());
        assertThat(report.getFindingsList()).isEmpty();
        assertThat(report.getConcurrent()).isFalse();
    }

    @Test
    void create_withStart_isRunningWhenTheOperationIsDone() throws Exception {
        Operation done =
                finish(
                        tds().createTrustDomain(
                                        request("go", FOR_EVER).toBuilder()
                                                .setStart(true)
                                                .build()));
        assertThat(done.getResponse().unpack(TrustDomain.class).getState())
                .isEqualTo(State.RUNNING);
    }

    @Test
    void create_onlyToValidate_touchesNothing() throws Exception {
        Operation done =
                tds().createTrustDomain(
                                request("dry", "idle").toBuilder().setValidateOnly(true).build());
        assertThat(done.getDone()).isTrue();
        assertThat(done.getResponse().unpack(TrustDomain.class).getName())
                .isEqualTo("trustDomains/dry");
        assertThat(report()).isEqualTo(before);
    }

    @Test
    void create_sentTwiceWithOneRequestId_buildsOnce() {
        CreateTrustDomainRequest request =
                request("", "idle").toBuilder().setRequestId(UUID.randomUUID().toString()).build();
        Operation first = finish(tds().createTrustDomain(request));
        Operation second = finish(tds().createTrustDomain(request));
        assertThat(second).isEqualTo(first);
        assertThat(list(ListTrustDomainsRequest.getDefaultInstance())).hasSize(1);
        assertThat(
                        code(() ->
                                tds().createTrustDomain(
                                                request.toBuilder()
                                                        .setTrustDomainId("other")
                                                        .build())))
                .isEqualTo(Status.Code.ALREADY_EXISTS);
    }

    @Test
    void create_withATakenName_isRefusedAtOnce() {
        create("taken", "idle");
        assertThat(code(() -> tds().createTrustDomain(request("taken", "idle"))))
                .isEqualTo(Status.Code.ALREADY_EXISTS);
    }

    @Test
    void create_withManyBadFields_namesAllOfThem() throws Exception {
        CreateTrustDomainRequest bad =
                CreateTrustDomainRequest.newBuilder()
                        .setTrustDomainId("Bad_Id")
                        .setRequestId("no-uuid")
                        .setTrustDomain(TrustDomain.newBuilder().setVcpuCount(9999))
                        .build();
        StatusRuntimeException refused = refused(() -> tds().createTrustDomain(bad));
        assertThat(refused.getStatus().getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
        assertThat(detail(refused, BadRequest.class).getFieldViolationsList())
                .extracting(BadRequest.FieldViolation::getField)
                .containsExactlyInAnyOrder(
                        "trust_domain_id",
                        "request_id",
                        "trust_domain.vcpu_count",
                        "trust_domain.guest_program");
        assertThat(detail(refused, ErrorInfo.class).getDomain()).isEqualTo("seamlab.dev");
    }

    @Test
    void create_whenKeyIdsRunOut_isAQuotaFailureAndLeavesNothing() throws Exception {
        int free = before.getKeyIds().getFree();
        for (int i = 0; i < free; i++) {
            create("key-" + i, "idle");
        }
        Operation failed = finish(tds().createTrustDomain(request("one-more", "idle")));
        assertThat(failed.getError().getCode())
                .isEqualTo(com.google.rpc.Code.RESOURCE_EXHAUSTED.getNumber());
        assertThat(failed.getError().getDetailsList()).anyMatch(any -> any.is(QuotaFailure.class));
        assertThat(code(() -> get("trustDomains/one-more"))).isEqualTo(Status.Code.NOT_FOUND);
        delete("trustDomains/key-0");
        create("one-more", "idle");
    }

    @Test
    void delete_whileItRuns_isRefusedAndSaysWhatWouldBeLegal() throws Exception {
        String name = create("busy", FOR_EVER).getName();
        start(name);
        StatusRuntimeException refused =
                refused(() ->
                        tds().deleteTrustDomain(
                                        DeleteTrustDomainRequest.newBuilder()
                                                .setName(name)
                                                .build()));
        assertThat(refused.getStatus().getCode()).isEqualTo(Status.Code.FAILED_PRECONDITION);
        assertThat(refused.getStatus().getDescription()).contains("STOP");
        assertThat(detail(refused, ErrorInfo.class).getMetadataMap())
                .containsEntry("state", "RUNNING");
    }

    @Test
    void delete_withAnOldEtag_isAborted() {
        TrustDomain built = create("etag", FOR_EVER);
        start(built.getName());
        stop(built.getName());
        DeleteTrustDomainRequest request =
                DeleteTrustDomainRequest.newBuilder()
                        .setName(built.getName())
                        .setEtag(built.getEtag())
                        .build();
        assertThat(code(() -> tds().deleteTrustDomain(request))).isEqualTo(Status.Code.ABORTED);
        String now = get(built.getName()).getEtag();
        assertThat(finish(tds().deleteTrustDomain(request.toBuilder().setEtag(now).build())))
                .matches(Operation::hasResponse);
    }

    @Test
    void delete_ofWhatIsNotThere_dependsOnAllowMissing() {
        DeleteTrustDomainRequest request =
                DeleteTrustDomainRequest.newBuilder().setName("trustDomains/nobody").build();
        assertThat(code(() -> tds().deleteTrustDomain(request))).isEqualTo(Status.Code.NOT_FOUND);
        assertThat(
                        tds().deleteTrustDomain(request.toBuilder().setAllowMissing(true).build())
                                .getDone())
                .isTrue();
    }

    @Test
    void list_inPagesAndByState_findsEachOnce() {
        for (int i = 0; i < 5; i++) {
            create("page-" + i, FOR_EVER);
        }
        start("trustDomains/page-3");
        List<String> names = new ArrayList<>();
        String token = "";
        do {
            ListTrustDomainsResponse page =
                    tds().listTrustDomains(
                                    ListTrustDomainsRequest.newBuilder()
                                            .setPageSize(2)
                                            .setPageToken(token)
                                            .build());
            assertThat(page.getTrustDomainsCount()).isLessThanOrEqualTo(2);
            page.getTrustDomainsList().forEach(td -> names.add(td.getName()));
            token = page.getNextPageToken();
        } while (!token.isEmpty());
        assertThat(names)
                .containsExactly(
                        "trustDomains/page-0",
                        "trustDomains/page-1",
                        "trustDomains/page-2",
                        "trustDomains/page-3",
                        "trustDomains/page-4");
        assertThat(list(ListTrustDomainsRequest.newBuilder().setFilter("state=RUNNING").build()))
                .extracting(TrustDomain::getName)
                .containsExactly("trustDomains/page-3");
        assertThat(
                        code(() ->
                                list(
                                        ListTrustDomainsRequest.newBuilder()
                                                .setFilter("cores>2")
                                                .build())))
                .isEqualTo(Status.Code.INVALID_ARGUMENT);
    }

    @Test
    void watch_fromReadyToTheEnd_tellsEveryStateAndEnds() {
        String name = create("seen", "touch-all").getName();
        Iterator<WatchTrustDomainResponse> watch =
                tds().watchTrustDomain(WatchTrustDomainRequest.newBuilder().setName(name).build());
        WatchTrustDomainResponse first = watch.next();
        assertThat(first.getTrustDomain().getState()).isEqualTo(State.READY);
        start(name);
        List<State> states = new ArrayList<>(List.of(State.READY));
        WatchTrustDomainResponse last = first;
        while (last.getTrustDomain().getProgress().getFinishedVcpus() == 0) {
            last = watch.next();
            if (states.getLast() != last.getTrustDomain().getState()) {
                states.add(last.getTrustDomain().getState());
            }
        }
        if (get(name).getState() == State.RUNNING) {
            stop(name);
        }
        delete(name);
        while (!last.getDeleted()) {
            last = watch.next();
            if (states.getLast() != last.getTrustDomain().getState()) {
                states.add(last.getTrustDomain().getState());
            }
        }
        assertThat(watch.hasNext()).isFalse();
        assertThat(states)
                .containsSubsequence(State.READY, State.RUNNING, State.STOPPING, State.STOPPED);
    }

    @Test
    void watch_withTheTokenOfTheLastMessage_doesNotRepeatIt() {
        String name = create("resumed", FOR_EVER).getName();
        String token =
                tds().watchTrustDomain(WatchTrustDomainRequest.newBuilder().setName(name).build())
                        .next()
                        .getResumeToken();
        Iterator<WatchTrustDomainResponse> again =
                tds().watchTrustDomain(
                                WatchTrustDomainRequest.newBuilder()
                                        .setName(name)
                                        .setResumeToken(token)
                                        .build());
        start(name);
        assertThat(again.next().getTrustDomain().getState()).isEqualTo(State.RUNNING);
    }

    @Test
    void watchAll_tellsWhatComesAndGoes() {
        Iterator<WatchTrustDomainsResponse> watch =
                tds().watchTrustDomains(WatchTrustDomainsRequest.getDefaultInstance());
        String name = create("comes", "idle").getName();
        WatchTrustDomainsResponse change = watch.next();
        assertThat(change.getTrustDomain().getName()).isEqualTo(name);
        delete(name);
        while (!change.getDeleted()) {
            change = watch.next();
        }
        assertThat(change.getTrustDomain().getName()).isEqualTo(name);
    }

    @Test
    void watch_whoseClientHangsUp_givesItsPlaceBack() {
        String name = create("left", FOR_EVER).getName();
        for (int i = 0; i < 2 * limits.watches(); i++) {
            Context.CancellableContext call = Context.current().withCancellation();
            call.run(() ->
                    tds().watchTrustDomain(
                                    WatchTrustDomainRequest.newBuilder().setName(name).build())
                            .next());
            call.cancel(null);
            // The server hears of it a little later; without this, a quick client is refused.
            await().pollDelay(Duration.ZERO)
                    .pollInterval(Duration.ofMillis(2))
                    .until(() -> watches.open() < limits.watches() / 2);
        }
    }

    @Test
    void operations_listedWaitedCancelledAndDeleted_behave() {
        Operation create = finish(tds().createTrustDomain(request("op", "idle")));
        assertThat(
                        ops().listOperations(
                                        ListOperationsRequest.newBuilder()
                                                .setPageSize(1000)
                                                .build())
                                .getOperationsList())
                .contains(create);
        assertThat(
                        ops().getOperation(
                                        GetOperationRequest.newBuilder()
                                                .setName(create.getName())
                                                .build()))
                .isEqualTo(create);
        ops().cancelOperation(
                        CancelOperationRequest.newBuilder().setName(create.getName()).build());
        ops().deleteOperation(
                        DeleteOperationRequest.newBuilder().setName(create.getName()).build());
        assertThat(
                        code(() ->
                                ops().getOperation(
                                                GetOperationRequest.newBuilder()
                                                        .setName(create.getName())
                                                        .build())))
                .isEqualTo(Status.Code.NOT_FOUND);
        assertThat(
                        code(() ->
                                ops().waitOperation(
                                                WaitOperationRequest.newBuilder()
                                                        .setName("nonsense")
                                                        .build())))
                .isEqualTo(Status.Code.INVALID_ARGUMENT);
    }

    @Test
    void update_ofNotes_changesThemAndTheEtagAndTellsWatchers() {
        TrustDomain built = create("noted", FOR_EVER);
        Iterator<WatchTrustDomainResponse> watch =
                tds().watchTrustDomain(
                                WatchTrustDomainRequest.newBuilder()
                                        .setName(built.getName())
                                        .build());
        assertThat(watch.next().getTrustDomain().getDisplayName()).isEmpty();

        TrustDomain changed =
                update(
                        built.toBuilder()
                                .setDisplayName("front end")
                                .putLabels("tier", "web")
                                .setMemoryBytes(0)
                                .build(),
                        "display_name",
                        "labels");

        assertThat(changed.getDisplayName()).isEqualTo("front end");
        assertThat(changed.getLabelsMap()).containsExactly(Map.entry("tier", "web"));
        assertThat(changed.getMemoryBytes()).isEqualTo(SMALL);
        assertThat(changed.getEtag()).isNotEqualTo(built.getEtag());
        assertThat(get(built.getName())).isEqualTo(changed);
        assertThat(watch.next().getTrustDomain().getDisplayName()).isEqualTo("front end");
        assertThat(update(changed.toBuilder().clearLabels().build(), "labels").getDisplayName())
                .isEqualTo("front end");
    }

    @Test
    void update_withAnOldEtagOrAFieldThatCannotChange_changesNothing() {
        TrustDomain built = create("fixed", FOR_EVER);
        TrustDomain now = update(built.toBuilder().setDisplayName("a").build());

        assertThat(code(() -> update(built.toBuilder().setDisplayName("b").build())))
                .isEqualTo(Status.Code.ABORTED);
        assertThat(refused(() -> update(now, "vcpu_count")).getStatus().getDescription())
                .contains("update_mask", "vcpu_count", "display_name and labels");
        assertThat(refused(() -> update(now, "nonsense")).getStatus().getDescription())
                .contains("no field");
        assertThat(code(() -> update(now.toBuilder().putLabels("Not A Key", "x").build())))
                .isEqualTo(Status.Code.INVALID_ARGUMENT);
        assertThat(
                        tds().updateTrustDomain(
                                        UpdateTrustDomainRequest.newBuilder()
                                                .setTrustDomain(
                                                        now.toBuilder().setDisplayName("tried"))
                                                .setValidateOnly(true)
                                                .build())
                                .getDisplayName())
                .isEqualTo("tried");
        assertThat(get(built.getName())).isEqualTo(now);
    }

    @Test
    void create_withNotes_keepsThem() {
        CreateTrustDomainRequest.Builder request = request("labelled", FOR_EVER).toBuilder();
        request.getTrustDomainBuilder().putLabels("ci/job", "17");
        finish(tds().createTrustDomain(request.build()));
        assertThat(get("trustDomains/labelled").getLabelsMap()).containsEntry("ci/job", "17");
    }

    @Test
    void kill_ofARunningOne_stopsItForGood() {
        String name = create("doomed", FOR_EVER).getName();
        start(name);
        KillTrustDomainRequest kill = KillTrustDomainRequest.newBuilder().setName(name).build();
        assertThat(tds().killTrustDomain(kill).getState()).isEqualTo(State.STOPPED);
        assertThat(code(() -> tds().killTrustDomain(kill)))
                .isEqualTo(Status.Code.FAILED_PRECONDITION);
        assertThat(code(() -> start(name))).isEqualTo(Status.Code.FAILED_PRECONDITION);
    }

    @Test
    void wait_forTheEndOfAGuest_returnsWhenAllVcpusAreThrough() {
        String name = create("short", "accept 12m..13m; halt").getName();
        start(name);
        WaitTrustDomainResponse through =
                tds().waitTrustDomain(
                                WaitTrustDomainRequest.newBuilder()
                                        .setName(name)
                                        .setFinished(true)
                                        .addStates(State.STOPPED)
                                        .build());
        assertThat(through.getDeleted()).isFalse();
        assertThat(through.getTrustDomain().getProgress().getFinishedVcpus()).isEqualTo(1);
        assertThat(through.getTrustDomain().getProgress().getAcceptedPages()).isEqualTo(256);
    }

    @Test
    void wait_forTheDelete_returnsWhenItIsGone() throws Exception {
        String name = create("leaving", FOR_EVER).getName();
        var waiting =
                TrustDomainsGrpc.newFutureStub(channel)
                        .waitTrustDomain(WaitTrustDomainRequest.newBuilder().setName(name).build());
        await().until(() -> watches.open() > 0);
        delete(name);
        assertThat(waiting.get(30, TimeUnit.SECONDS).getDeleted()).isTrue();
    }

    @Test
    void wait_pastItsDeadline_endsThere() {
        String name = create("patient", FOR_EVER).getName();
        assertThat(
                        code(() ->
                                TrustDomainsGrpc.newBlockingStub(channel)
                                        .withDeadlineAfter(50, TimeUnit.MILLISECONDS)
                                        .waitTrustDomain(
                                                WaitTrustDomainRequest.newBuilder()
                                                        .setName(name)
                                                        .addStates(State.RUNNING)
                                                        .build())))
                .isEqualTo(Status.Code.DEADLINE_EXCEEDED);
        assertThat(get(name).getState()).isEqualTo(State.READY);
    }

    @Test
    void whatTdxForbids_isRefusedWithItsReasonAndTheWayOut() throws Exception {
        String name = create("strict", FOR_EVER).getName();
        for (StatusRuntimeException refused :
                List.of(
                        refused(() ->
                                tds().resetTrustDomain(
                                                ResetTrustDomainRequest.newBuilder()
                                                        .setName(name)
                                                        .build())),
                        refused(() ->
                                tds().injectNmi(
                                                InjectNmiRequest.newBuilder()
                                                        .setName(name)
                                                        .build())))) {
            assertThat(refused.getStatus().getCode()).isEqualTo(Status.Code.FAILED_PRECONDITION);
            assertThat(detail(refused, ErrorInfo.class).getReason())
                    .isEqualTo("NOT_ALLOWED_BY_TDX");
        }
        assertThat(
                        code(() ->
                                tds().resetTrustDomain(
                                                ResetTrustDomainRequest.newBuilder()
                                                        .setName("trustDomains/nobody")
                                                        .build())))
                .isEqualTo(Status.Code.NOT_FOUND);
    }

    private TrustDomain update(TrustDomain td, String... paths) {
        return tds().updateTrustDomain(
                        UpdateTrustDomainRequest.newBuilder()
                                .setTrustDomain(td)
                                .setUpdateMask(FieldMask.newBuilder().addAllPaths(List.of(paths)))
                                .build());
    }

    @Test
    void host_tellsWhatItIsMadeOf() {
        HostInfo host = host().getHost(GetHostRequest.getDefaultInstance());
        assertThat(host.getProfile()).isEqualTo("laptop-16g");
        assertThat(host.getPreset()).isEqualTo("v4");
        assertThat(host.getDynamicPamt()).isTrue();
        assertThat(host.getModuleVersion()).isEqualTo("1.5.25");
        assertThat(host.getMemoryRangesList()).hasSize(2);
        assertThat(host.getBootLogList()).anyMatch(line -> line.contains("PAMT"));
        assertThat(host.getGuestProgramsList()).isNotEmpty();
        assertThat(host.getPamt().getStaticEquivalentBytes())
                .isGreaterThan(host.getMemoryBytes() / 256);
    }

    @Test
    void host_showsTheModulesAttributes() {
        HostInfo host = host().getHost(GetHostRequest.getDefaultInstance());
        assertThat(host.getAttributesList())
                .contains(
                        HostAttribute.newBuilder().setName("version").setValue("1.5.25").build(),
                        HostAttribute.newBuilder().setName("max_tdmrs").setValue("64").build());
        assertThat(host.getOfflineCpusList()).isEmpty();
    }

    @Test
    void cpu_goesOfflineAndOnline_butNotTheLastOne() {
        int cpus = host().getHost(GetHostRequest.getDefaultInstance()).getCpuCount();
        try {
            for (int cpu = 1; cpu < cpus; cpu++) {
                assertThat(setCpu(cpu, false).getOnline()).isFalse();
            }
            assertThat(host().getHost(GetHostRequest.getDefaultInstance()).getOfflineCpusCount())
                    .isEqualTo(cpus - 1);
            assertThat(code(() -> setCpu(0, false))).isEqualTo(Status.Code.FAILED_PRECONDITION);
            assertThat(code(() -> setCpu(cpus, false))).isEqualTo(Status.Code.INVALID_ARGUMENT);
            assertThat(code(() -> setCpu(-1, false))).isEqualTo(Status.Code.INVALID_ARGUMENT);
        } finally {
            for (int cpu = 0; cpu < cpus; cpu++) {
                assertThat(setCpu(cpu, true).getOnline()).isTrue();
            }
        }
    }

    private HostCpu setCpu(int cpu, boolean online) {
        return host().setCpuOnline(
                        SetCpuOnlineRequest.newBuilder().setCpu(cpu).setOnline(online).build());
    }

    // ------------------------------------------------------------------ helpers

    private TrustDomainsGrpc.TrustDomainsBlockingStub tds() {
        return TrustDomainsGrpc.newBlockingStub(channel).withDeadlineAfter(30, TimeUnit.SECONDS);
    }

    private OperationsGrpc.OperationsBlockingStub ops() {
        return OperationsGrpc.newBlockingStub(channel).withDeadlineAfter(30, TimeUnit.SECONDS);
    }

    private AuditGrpc.AuditBlockingStub audit() {
        return AuditGrpc.newBlockingStub(channel).withDeadlineAfter(30, TimeUnit.SECONDS);
    }

    private HostGrpc.HostBlockingStub host() {
        return HostGrpc.newBlockingStub(channel).withDeadlineAfter(30, TimeUnit.SECONDS);
    }

    private MemoryReport report() {
        return host().getMemoryReport(GetMemoryReportRequest.getDefaultInstance());
    }

    private static CreateTrustDomainRequest request(String id, String program) {
        return CreateTrustDomainRequest.newBuilder()
                .setTrustDomainId(id)
                .setTrustDomain(
                        TrustDomain.newBuilder()
                                .setMemoryBytes(SMALL)
                                .setGuestProgram(GuestProgram.newBuilder().setText(program)))
                .build();
    }

    private TrustDomain create(String id, String program) {
        Operation done = finish(tds().createTrustDomain(request(id, program)));
        assertThat(done.hasError()).as(done.getError().getMessage()).isFalse();
        try {
            return done.getResponse().unpack(TrustDomain.class);
        } catch (InvalidProtocolBufferException e) {
            throw new AssertionError(e);
        }
    }

    private Operation finish(Operation operation) {
        Operation now = operation;
        while (!now.getDone()) {
            now =
                    ops().waitOperation(
                                    WaitOperationRequest.newBuilder()
                                            .setName(operation.getName())
                                            .setTimeout(Durations.fromSeconds(10))
                                            .build());
        }
        return now;
    }

    private TrustDomain get(String name) {
        return tds().getTrustDomain(GetTrustDomainRequest.newBuilder().setName(name).build());
    }

    private TrustDomain start(String name) {
        return tds().startTrustDomain(StartTrustDomainRequest.newBuilder().setName(name).build());
    }

    private TrustDomain stop(String name) {
        return tds().stopTrustDomain(StopTrustDomainRequest.newBuilder().setName(name).build());
    }

    private void delete(String name) {
        Operation done =
                finish(
                        tds().deleteTrustDomain(
                                        DeleteTrustDomainRequest.newBuilder()
                                                .setName(name)
                                                .build()));
        assertThat(done.hasError()).as(done.getError().getMessage()).isFalse();
    }

    private List<TrustDomain> list(ListTrustDomainsRequest request) {
        return tds().listTrustDomains(request).getTrustDomainsList();
    }

    private static StatusRuntimeException refused(Supplier<?> call) {
        return catchThrowableOfType(StatusRuntimeException.class, call::get);
    }

    private static Status.Code code(Supplier<?> call) {
        return refused(call).getStatus().getCode();
    }

    private static <M extends Message> M detail(StatusRuntimeException e, Class<M> type)
            throws InvalidProtocolBufferException {
        for (Any any : StatusProto.fromThrowable(e).getDetailsList()) {
            if (any.is(type)) {
                return any.unpack(type);
            }
        }
        throw new AssertionError("no " + type.getSimpleName() + " in " + e);
    }
}
