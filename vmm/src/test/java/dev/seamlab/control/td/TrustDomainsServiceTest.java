// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.td;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.longrunning.Operation;
import com.google.protobuf.FieldMask;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.QuotaFailure;
import dev.seamlab.control.GrpcLab;
import dev.seamlab.v1.AuditReport;
import dev.seamlab.v1.CreateTrustDomainRequest;
import dev.seamlab.v1.DeleteTrustDomainRequest;
import dev.seamlab.v1.InjectNmiRequest;
import dev.seamlab.v1.KillTrustDomainRequest;
import dev.seamlab.v1.ListTrustDomainsRequest;
import dev.seamlab.v1.ListTrustDomainsResponse;
import dev.seamlab.v1.MemoryReport;
import dev.seamlab.v1.PauseTrustDomainRequest;
import dev.seamlab.v1.ResetTrustDomainRequest;
import dev.seamlab.v1.ResumeTrustDomainRequest;
import dev.seamlab.v1.TrustDomain;
import dev.seamlab.v1.TrustDomain.State;
import dev.seamlab.v1.UpdateTrustDomainRequest;
import dev.seamlab.v1.WatchTrustDomainRequest;
import dev.seamlab.v1.WatchTrustDomainResponse;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.quarkus.test.junit.QuarkusTest;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * What {@code TrustDomains} does to one of them, over real gRPC; the host is as before after each
 * test.
 */
@QuarkusTest
class TrustDomainsServiceTest {
    @ConfigProperty(name = "quarkus.grpc.server.test-port")
    int port;

    private GrpcLab lab;

    @BeforeEach
    void connect() {
        lab = new GrpcLab(port);
    }

    @AfterEach
    void everythingIsAsBefore() {
        lab.close();
    }

    @Test
    void create_thenEveryMethod_walksThroughALife() {
        TrustDomain built = lab.build("life", GrpcLab.FOR_EVER);
        assertThat(built.getState()).isEqualTo(State.READY);
        assertThat(built.getMrtd().size()).isEqualTo(48);
        assertThat(built.getKeyId()).isPositive();
        assertThat(built.getFirmware().hasEmbedded()).isTrue();
        assertThat(built.getFirmware().getSha256().size()).isEqualTo(32);
        assertThat(built.getCreateTime().getSeconds()).isPositive();
        String name = built.getName();
        assertThat(lab.start(name).getState()).isEqualTo(State.RUNNING);
        assertThat(
                        lab.trustDomains()
                                .pauseTrustDomain(
                                        PauseTrustDomainRequest.newBuilder().setName(name).build())
                                .getState())
                .isEqualTo(State.PAUSED);
        assertThat(
                        lab.trustDomains()
                                .resumeTrustDomain(
                                        ResumeTrustDomainRequest.newBuilder().setName(name).build())
                                .getState())
                .isEqualTo(State.RUNNING);
        assertThat(lab.get(name).getState()).isEqualTo(State.RUNNING);
        assertThat(lab.stop(name).getState()).isEqualTo(State.STOPPED);
        lab.delete(name);
        assertThat(GrpcLab.code(() -> lab.get(name))).isEqualTo(Status.Code.NOT_FOUND);
    }

    @Test
    void audit_whileATrustDomainRuns_holdsItAndFindsNothing() {
        String name = lab.create("busy", GrpcLab.FOR_EVER);
        lab.start(name);
        AuditReport report = lab.audit();
        assertThat(report.getFindingsList()).isEmpty();
        assertThat(report.getConcurrent()).isTrue();
        assertThat(lab.get(name).getState()).isEqualTo(State.RUNNING);
        lab.trustDomains()
                .pauseTrustDomain(PauseTrustDomainRequest.newBuilder().setName(name).build());
        report = lab.audit();
        assertThat(report.getFindingsList()).isEmpty();
        assertThat(report.getConcurrent()).isFalse();
    }

    @Test
    void create_withStart_isRunningWhenTheOperationIsDone() throws Exception {
        Operation done =
                lab.finish(
                        lab.trustDomains()
                                .createTrustDomain(
                                        GrpcLab.request("go", GrpcLab.FOR_EVER).toBuilder()
                                                .setStart(true)
                                                .build()));
        assertThat(done.getResponse().unpack(TrustDomain.class).getState())
                .isEqualTo(State.RUNNING);
    }

    @Test
    void create_onlyToValidate_touchesNothing() throws Exception {
        MemoryReport before = lab.memory();
        Operation done =
                lab.trustDomains()
                        .createTrustDomain(
                                GrpcLab.request("dry", "idle").toBuilder()
                                        .setValidateOnly(true)
                                        .build());
        assertThat(done.getDone()).isTrue();
        assertThat(done.getResponse().unpack(TrustDomain.class).getName())
                .isEqualTo("trustDomains/dry");
        assertThat(lab.memory()).isEqualTo(before);
    }

    @Test
    void create_sentTwiceWithOneRequestId_buildsOnce() {
        CreateTrustDomainRequest request =
                GrpcLab.request("", "idle").toBuilder()
                        .setRequestId(UUID.randomUUID().toString())
                        .build();
        Operation first = lab.finish(lab.trustDomains().createTrustDomain(request));
        Operation second = lab.finish(lab.trustDomains().createTrustDomain(request));
        assertThat(second).isEqualTo(first);
        assertThat(list(ListTrustDomainsRequest.getDefaultInstance())).hasSize(1);
        assertThat(
                        GrpcLab.code(() ->
                                lab.trustDomains()
                                        .createTrustDomain(
                                                request.toBuilder()
                                                        .setTrustDomainId("other")
                                                        .build())))
                .isEqualTo(Status.Code.ALREADY_EXISTS);
    }

    @Test
    void create_withATakenName_isRefusedAtOnce() {
        lab.build("taken", "idle");
        assertThat(
                        GrpcLab.code(() ->
                                lab.trustDomains()
                                        .createTrustDomain(GrpcLab.request("taken", "idle"))))
                .isEqualTo(Status.Code.ALREADY_EXISTS);
    }

    @Test
    void create_withManyBadFields_namesAllOfThem() {
        CreateTrustDomainRequest bad =
                CreateTrustDomainRequest.newBuilder()
                        .setTrustDomainId("Bad_Id")
                        .setRequestId("no-uuid")
                        .setTrustDomain(TrustDomain.newBuilder().setVcpuCount(9999))
                        .build();
        StatusRuntimeException refused =
                GrpcLab.refused(() -> lab.trustDomains().createTrustDomain(bad));
        assertThat(refused.getStatus().getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
        assertThat(GrpcLab.detail(refused, BadRequest.class).getFieldViolationsList())
                .extracting(BadRequest.FieldViolation::getField)
                .containsExactlyInAnyOrder(
                        "trust_domain_id",
                        "request_id",
                        "trust_domain.vcpu_count",
                        "trust_domain.guest_program");
        assertThat(GrpcLab.detail(refused, ErrorInfo.class).getDomain()).isEqualTo("seamlab.dev");
    }

    @Test
    void create_whenKeyIdsRunOut_isAQuotaFailureAndLeavesNothing() {
        int free = lab.memory().getKeyIds().getFree();
        for (int i = 0; i < free; i++) {
            lab.build("key-" + i, "idle");
        }
        Operation failed =
                lab.finish(
                        lab.trustDomains().createTrustDomain(GrpcLab.request("one-more", "idle")));
        assertThat(failed.getError().getCode())
                .isEqualTo(com.google.rpc.Code.RESOURCE_EXHAUSTED.getNumber());
        assertThat(failed.getError().getDetailsList()).anyMatch(any -> any.is(QuotaFailure.class));
        assertThat(GrpcLab.code(() -> lab.get("trustDomains/one-more")))
                .isEqualTo(Status.Code.NOT_FOUND);
        lab.delete("trustDomains/key-0");
        lab.build("one-more", "idle");
    }

    @Test
    void delete_whileItRuns_isRefusedAndSaysWhatWouldBeLegal() {
        String name = lab.create("busy", GrpcLab.FOR_EVER);
        lab.start(name);
        StatusRuntimeException refused =
                GrpcLab.refused(() ->
                        lab.trustDomains()
                                .deleteTrustDomain(
                                        DeleteTrustDomainRequest.newBuilder()
                                                .setName(name)
                                                .build()));
        assertThat(refused.getStatus().getCode()).isEqualTo(Status.Code.FAILED_PRECONDITION);
        assertThat(refused.getStatus().getDescription()).contains("STOP");
        assertThat(GrpcLab.detail(refused, ErrorInfo.class).getMetadataMap())
                .containsEntry("state", "RUNNING");
    }

    @Test
    void delete_withAnOldEtag_isAborted() {
        TrustDomain built = lab.build("etag", GrpcLab.FOR_EVER);
        lab.start(built.getName());
        lab.stop(built.getName());
        DeleteTrustDomainRequest request =
                DeleteTrustDomainRequest.newBuilder()
                        .setName(built.getName())
                        .setEtag(built.getEtag())
                        .build();
        assertThat(GrpcLab.code(() -> lab.trustDomains().deleteTrustDomain(request)))
                .isEqualTo(Status.Code.ABORTED);
        String now = lab.get(built.getName()).getEtag();
        assertThat(
                        lab.finish(
                                lab.trustDomains()
                                        .deleteTrustDomain(
                                                request.toBuilder().setEtag(now).build())))
                .matches(Operation::hasResponse);
    }

    @Test
    void delete_ofWhatIsNotThere_dependsOnAllowMissing() {
        DeleteTrustDomainRequest request =
                DeleteTrustDomainRequest.newBuilder().setName("trustDomains/nobody").build();
        assertThat(GrpcLab.code(() -> lab.trustDomains().deleteTrustDomain(request)))
                .isEqualTo(Status.Code.NOT_FOUND);
        assertThat(
                        lab.trustDomains()
                                .deleteTrustDomain(
                                        request.toBuilder().setAllowMissing(true).build())
                                .getDone())
                .isTrue();
    }

    @Test
    void list_inPagesAndByState_findsEachOnce() {
        for (int i = 0; i < 5; i++) {
            lab.build("page-" + i, GrpcLab.FOR_EVER);
        }
        lab.start("trustDomains/page-3");
        List<String> names = new ArrayList<>();
        String token = "";
        do {
            ListTrustDomainsResponse page =
                    lab.trustDomains()
                            .listTrustDomains(
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
                        GrpcLab.code(() ->
                                list(
                                        ListTrustDomainsRequest.newBuilder()
                                                .setFilter("cores>2")
                                                .build())))
                .isEqualTo(Status.Code.INVALID_ARGUMENT);
    }

    @Test
    void update_ofNotes_changesThemAndTheEtagAndTellsWatchers() {
        TrustDomain built = lab.build("noted", GrpcLab.FOR_EVER);
        Iterator<WatchTrustDomainResponse> watch =
                lab.trustDomains()
                        .watchTrustDomain(
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
        assertThat(changed.getMemoryBytes()).isEqualTo(GrpcLab.SMALL);
        assertThat(changed.getEtag()).isNotEqualTo(built.getEtag());
        assertThat(lab.get(built.getName())).isEqualTo(changed);
        assertThat(watch.next().getTrustDomain().getDisplayName()).isEqualTo("front end");
        assertThat(update(changed.toBuilder().clearLabels().build(), "labels").getDisplayName())
                .isEqualTo("front end");
    }

    @Test
    void update_withAnOldEtagOrAFieldThatCannotChange_changesNothing() {
        TrustDomain built = lab.build("fixed", GrpcLab.FOR_EVER);
        TrustDomain now = update(built.toBuilder().setDisplayName("a").build());

        assertThat(GrpcLab.code(() -> update(built.toBuilder().setDisplayName("b").build())))
                .isEqualTo(Status.Code.ABORTED);
        assertThat(GrpcLab.refused(() -> update(now, "vcpu_count")).getStatus().getDescription())
                .contains("update_mask", "vcpu_count", "display_name and labels");
        assertThat(GrpcLab.refused(() -> update(now, "nonsense")).getStatus().getDescription())
                .contains("no field");
        assertThat(GrpcLab.code(() -> update(now.toBuilder().putLabels("Not A Key", "x").build())))
                .isEqualTo(Status.Code.INVALID_ARGUMENT);
        assertThat(
                        lab.trustDomains()
                                .updateTrustDomain(
                                        UpdateTrustDomainRequest.newBuilder()
                                                .setTrustDomain(
                                                        now.toBuilder().setDisplayName("tried"))
                                                .setValidateOnly(true)
                                                .build())
                                .getDisplayName())
                .isEqualTo("tried");
        assertThat(lab.get(built.getName())).isEqualTo(now);
    }

    @Test
    void create_withNotes_keepsThem() {
        CreateTrustDomainRequest.Builder request =
                GrpcLab.request("labelled", GrpcLab.FOR_EVER).toBuilder();
        request.getTrustDomainBuilder().putLabels("ci/job", "17");
        lab.finish(lab.trustDomains().createTrustDomain(request.build()));
        assertThat(lab.get("trustDomains/labelled").getLabelsMap()).containsEntry("ci/job", "17");
    }

    @Test
    void kill_ofARunningOne_stopsItForGood() {
        String name = lab.create("doomed", GrpcLab.FOR_EVER);
        lab.start(name);
        KillTrustDomainRequest kill = KillTrustDomainRequest.newBuilder().setName(name).build();
        assertThat(lab.trustDomains().killTrustDomain(kill).getState()).isEqualTo(State.STOPPED);
        assertThat(GrpcLab.code(() -> lab.trustDomains().killTrustDomain(kill)))
                .isEqualTo(Status.Code.FAILED_PRECONDITION);
        assertThat(GrpcLab.code(() -> lab.start(name))).isEqualTo(Status.Code.FAILED_PRECONDITION);
    }

    @Test
    void whatTdxForbids_isRefusedWithItsReasonAndTheWayOut() {
        String name = lab.create("strict", GrpcLab.FOR_EVER);
        for (StatusRuntimeException refused :
                List.of(
                        GrpcLab.refused(() ->
                                lab.trustDomains()
                                        .resetTrustDomain(
                                                ResetTrustDomainRequest.newBuilder()
                                                        .setName(name)
                                                        .build())),
                        GrpcLab.refused(() ->
                                lab.trustDomains()
                                        .injectNmi(
                                                InjectNmiRequest.newBuilder()
                                                        .setName(name)
                                                        .build())))) {
            assertThat(refused.getStatus().getCode()).isEqualTo(Status.Code.FAILED_PRECONDITION);
            assertThat(GrpcLab.detail(refused, ErrorInfo.class).getReason())
                    .isEqualTo("NOT_ALLOWED_BY_TDX");
        }
        assertThat(
                        GrpcLab.code(() ->
                                lab.trustDomains()
                                        .resetTrustDomain(
                                                ResetTrustDomainRequest.newBuilder()
                                                        .setName("trustDomains/nobody")
                                                        .build())))
                .isEqualTo(Status.Code.NOT_FOUND);
    }

    private TrustDomain update(TrustDomain td, String... paths) {
        return lab.trustDomains()
                .updateTrustDomain(
                        UpdateTrustDomainRequest.newBuilder()
                                .setTrustDomain(td)
                                .setUpdateMask(FieldMask.newBuilder().addAllPaths(List.of(paths)))
                                .build());
    }

    private List<TrustDomain> list(ListTrustDomainsRequest request) {
        return lab.trustDomains().listTrustDomains(request).getTrustDomainsList();
    }
}
