// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.contract;

import static dev.seamlab.control.GrpcLab.refused;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.api.ResourceProto;
import com.google.api.ResourceReference;
import com.google.protobuf.Any;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Descriptors.FieldDescriptor.JavaType;
import com.google.protobuf.FieldMask;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.PreconditionFailure;
import com.google.rpc.QuotaFailure;
import com.google.rpc.ResourceInfo;
import com.google.rpc.RetryInfo;
import dev.seamlab.control.contract.Breaker.Broken;
import dev.seamlab.control.contract.Contract.Row;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import io.quarkus.test.junit.QuarkusTest;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.function.BiConsumer;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * What holds for all methods of the API, tried with each: from the descriptors and the table in
 * {@link Contract}. What one method does is the matter of its service's own test.
 */
@QuarkusTest
class ApiContractTest {
    /** A name of each kind that is well formed, and of nothing. */
    private static final Map<String, String> NOBODY =
            Map.of(
                    "seamlab.dev/TrustDomain", "trustDomains/nobody",
                    "seamlab.dev/Vcpu", "trustDomains/nobody/vcpus/0",
                    "seamlab.dev/Vm", "vms/nobody",
                    "seamlab.dev/Fault", "faults/nobody",
                    "seamlab.dev/Sandbox", "sandboxes/nobody");

    @ConfigProperty(name = "quarkus.grpc.server.test-port")
    int port;

    private final List<String> wrong = new ArrayList<>();
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
    void everyMethod_hasARow_andEveryRowAMethod() {
        assertThat(Contract.names())
                .containsExactlyInAnyOrderElementsOf(Api.all().stream().map(Rpc::name).toList());
    }

    @Test
    void theRightRequest_isGranted() {
        forAll((row, right) -> {
            Message request = fixture.request(row.rpc(), row.request());
            if (row.isGranted()) {
                Message answer = fixture.finish(row.rpc().call(fixture.channel(), request));
                assertThat(answer.isInitialized()).isTrue();
            } else {
                StatusRuntimeException e = refusal(row, request);
                assertThat(info(e).getReason()).isEqualTo(row.answer());
            }
        });
    }

    @Test
    void anEmptyRequest_isGranted_orSaysWhatItLacks() {
        forAll((row, right) -> {
            if (row.empty().equals("ok")) {
                assertThat(fixture.finish(row.rpc().call(fixture.channel(), row.rpc().request())))
                        .isNotNull();
            } else if (!row.empty().equals("-")) {
                expectField(refusal(row, row.rpc().request()), row.empty());
            }
        });
    }

    @Test
    void aRuleThatIsBroken_isRefusedByField() {
        int[] tried = new int[1];
        forAll((row, right) -> {
            for (Broken broken : Breaker.of(right)) {
                tried[0]++;
                try {
                    expectField(refusal(row, broken.request()), broken.field());
                } catch (AssertionError e) {
                    throw new AssertionError(broken + ": " + e.getMessage(), e);
                }
            }
        });
        assertThat(tried[0]).as("rules that were broken").isGreaterThan(200);
    }

    @Test
    void aResourceThatIsNot_isNotFoundByName() {
        int[] tried = new int[1];
        forAll((row, right) -> {
            for (FieldDescriptor field : row.rpc().requestType().getFields()) {
                String nobody = nobody(row, field);
                if (nobody != null) {
                    tried[0]++;
                    StatusRuntimeException e =
                            refusal(row, right.toBuilder().setField(field, nobody).build());
                    assertThat(e.getStatus().getCode()).isEqualTo(Code.NOT_FOUND);
                    assertThat(nobody).startsWith(detail(e, ResourceInfo.class).getResourceName());
                }
            }
        });
        assertThat(tried[0]).as("names that were tried").isGreaterThan(45);
    }

    private static @Nullable String nobody(Row row, FieldDescriptor field) {
        ResourceReference reference =
                field.getOptions().getExtension(ResourceProto.resourceReference);
        if (reference.getType().equals("seamlab.dev/Vcpu")) {
            return NOBODY.get(reference.getType());
        }
        if (reference.getChildType().equals("seamlab.dev/Vcpu")) {
            return "trustDomains/nobody";
        }
        boolean operation = row.rpc().name().startsWith("Operations/");
        return operation && field.getName().equals("name") && !row.empty().equals("ok")
                ? "operations/nobody"
                : NOBODY.get(reference.getType());
    }

    @Test
    void aPageTokenOfNobodyOrOfAnotherMethod_isRefused() {
        String others =
                dev.seamlab.control.call.PageToken.of("ListNothing").write("contract-1", "");
        lists((row, right) -> {
            FieldDescriptor token = row.rpc().requestType().findFieldByName("page_token");
            for (String bad : List.of("?", "AAAA", "x".repeat(5000), others)) {
                expectField(
                        refusal(row, right.toBuilder().setField(token, bad).build()), "page_token");
            }
            FieldDescriptor size = row.rpc().requestType().findFieldByName("page_size");
            for (int bad : new int[] {-1, Integer.MIN_VALUE, Integer.MAX_VALUE}) {
                expectField(
                        refusal(row, right.toBuilder().setField(size, bad).build()), "page_size");
            }
        });
    }

    @Test
    void smallPages_haveTogetherWhatOnePageHas() {
        for (int i = 0; i < 2; i++) {
            assertThat(fixture.call("Kvm/CreateVm", "")).isNotNull();
            assertThat(fixture.call("TrustDomains/GetTrustDomain", "name: '$td:READY'"))
                    .isNotNull();
            assertThat(fixture.call("Faults/GetFault", "name: '$fault:new'")).isNotNull();
        }
        lists((row, right) -> {
            if (row.rpc().name().equals("Events/ListEvents")) {
                return; // more of them with each call; EventsServiceTest has its pages
            }
            List<Object> whole = page(row.rpc().call(fixture.channel(), right));
            int size = Math.max(1, whole.size() / 8);
            List<Object> together = new ArrayList<>();
            String token = "";
            do {
                Message answer =
                        row.rpc()
                                .call(
                                        fixture.channel(),
                                        set(set(right, "page_size", size), "page_token", token));
                assertThat(page(answer)).hasSizeLessThanOrEqualTo(size);
                together.addAll(page(answer));
                token = (String) get(answer, "next_page_token");
            } while (!token.isEmpty());
            assertThat(together).isEqualTo(whole);
        });
    }

    private static List<Object> page(Message answer) {
        FieldDescriptor items =
                answer.getDescriptorForType().getFields().stream()
                        .filter(FieldDescriptor::isRepeated)
                        .findFirst()
                        .orElseThrow();
        return List.copyOf((List<?>) answer.getField(items));
    }

    @Test
    void anOldEtag_isRefused() {
        forAllWith("etag", (row, right) -> expectOldEtag(row, set(right, "etag", "\"old\"")));
        Row update = Contract.row(Api.rpc("TrustDomains/UpdateTrustDomain"));
        Message right = fixture.dry(update.rpc(), update.request());
        Message td = (Message) get(right, "trust_domain");
        expectOldEtag(update, set(right, "trust_domain", set(td, "etag", "\"old\"")));
    }

    private void expectOldEtag(Row row, Message request) {
        StatusRuntimeException e = refusal(row, request);
        assertThat(e.getStatus().getCode()).isEqualTo(Code.ABORTED);
        assertThat(info(e).getReason()).isEqualTo("ETAG_MISMATCH");
    }

    @Test
    void anUpdate_ofWhatHasNoName_isRefused() {
        Row update = Contract.row(Api.rpc("TrustDomains/UpdateTrustDomain"));
        Message right = fixture.dry(update.rpc(), update.request());
        Message td = (Message) get(right, "trust_domain");
        for (String bad : List.of("", "x", "trustDomains/", "trustDomains/A", "vms/a")) {
            Message request = set(right, "trust_domain", set(td, "name", bad));
            expectField(refusal(update, request), "trust_domain.name");
        }
        Message nobody = set(right, "trust_domain", set(td, "name", "trustDomains/nobody"));
        assertThat(refusal(update, nobody).getStatus().getCode()).isEqualTo(Code.NOT_FOUND);
    }

    @Test
    void anUpdateMask_withAFieldThatIsNotOrCannotChange_isRefused() {
        forAllWith(
                "update_mask",
                (row, right) -> {
                    for (String path :
                            List.of("no_such_field", "name", "memory_bytes", "labels.a")) {
                        FieldMask mask = FieldMask.newBuilder().addPaths(path).build();
                        expectField(refusal(row, set(right, "update_mask", mask)), "update_mask");
                    }
                });
    }

    @Test
    void validateOnly_leavesNothingBehind_andUsesNoRequestIdUp() {
        forAllWith(
                "validate_only",
                (row, ignored) -> {
                    Message right = fixture.request(row.rpc(), row.request());
                    if (row.rpc().field("request_id") != null) {
                        right = set(right, "request_id", UUID.randomUUID().toString());
                    }
                    List<Message> before = whatThereIs();
                    Message tried =
                            row.rpc().call(fixture.channel(), set(right, "validate_only", true));
                    assertThat(fixture.finish(tried)).isNotNull();
                    assertThat(whatThereIs()).isEqualTo(before);
                    // And it is as right as it was said to be.
                    assertThat(fixture.finish(row.rpc().call(fixture.channel(), right)))
                            .isNotNull();
                });
    }

    private List<Message> whatThereIs() {
        return List.of(
                fixture.call("Host/GetMemoryReport", ""),
                fixture.call("TrustDomains/ListTrustDomains", ""),
                fixture.call("Faults/ListFaults", ""));
    }

    @Test
    void aRequestIdSentTwice_isAnsweredAsTheFirstTime_andForAnotherRequestRefused() {
        forAllWith(
                "request_id",
                (row, ignored) -> {
                    Message request =
                            set(
                                    fixture.request(row.rpc(), row.request()),
                                    "request_id",
                                    UUID.randomUUID().toString());
                    Message first = row.rpc().call(fixture.channel(), request);
                    assertThat(fixture.finish(first)).isNotNull();
                    Message again = row.rpc().call(fixture.channel(), request);
                    assertThat(get(again, "name")).isEqualTo(get(first, "name"));
                    StatusRuntimeException e = refusal(row, other(request));
                    assertThat(e.getStatus().getCode()).isEqualTo(Code.ALREADY_EXISTS);
                    assertThat(info(e).getReason()).isEqualTo("REQUEST_ID_REUSED");
                });
    }

    /** The same request but for a field that is no key. */
    private static Message other(Message request) {
        for (FieldDescriptor field : request.getDescriptorForType().getFields()) {
            if (field.getName().equals("seed")) {
                return request.toBuilder().setField(field, 77L).build();
            }
            if (field.getName().equals("allow_missing")) {
                return request.toBuilder().setField(field, true).build();
            }
            if (field.getName().endsWith("_id") && !field.getName().equals("request_id")) {
                return request.toBuilder().setField(field, "other").build();
            }
        }
        throw new AssertionError("nothing to change in " + request);
    }

    // ------------------------------------------------------------------ all methods

    /** Tries something with each method, and tells of all that it does not hold for. */
    private void forAll(BiConsumer<Row, Message> trial) {
        for (Row row : Contract.rows()) {
            attempt(row, trial);
        }
        assertThat(wrong).isEmpty();
    }

    private void forAllWith(String field, BiConsumer<Row, Message> trial) {
        List<Row> rows =
                Contract.rows().stream().filter(row -> row.rpc().field(field) != null).toList();
        assertThat(rows).isNotEmpty();
        rows.forEach(row -> attempt(row, trial));
        assertThat(wrong).isEmpty();
    }

    private void lists(BiConsumer<Row, Message> trial) {
        forAllWith("page_token", trial);
    }

    private void attempt(Row row, BiConsumer<Row, Message> trial) {
        try {
            trial.accept(row, fixture.dry(row.rpc(), row.request()));
        } catch (AssertionError | StatusRuntimeException e) {
            wrong.add(row + ": " + e.getMessage());
        }
    }

    /** A refusal, which has the details that its code asks for. */
    private StatusRuntimeException refusal(Row row, Message request) {
        StatusRuntimeException e = refused(() -> row.rpc().call(fixture.channel(), request));
        assertThat(info(e).getDomain()).isEqualTo("seamlab.dev");
        assertThat(info(e).getReason()).matches("[A-Z][A-Z0-9_]+");
        assertThat(e.getStatus().getDescription()).isNotBlank();
        switch (e.getStatus().getCode()) {
            case INVALID_ARGUMENT -> detail(e, BadRequest.class);
            case NOT_FOUND -> detail(e, ResourceInfo.class);
            case FAILED_PRECONDITION -> detail(e, PreconditionFailure.class);
            case RESOURCE_EXHAUSTED -> {
                detail(e, QuotaFailure.class);
                detail(e, RetryInfo.class);
            }
            case ALREADY_EXISTS, ABORTED -> {}
            default -> throw new AssertionError("refused with " + e);
        }
        return e;
    }

    private static void expectField(StatusRuntimeException e, String field) {
        assertThat(e.getStatus().getCode()).isEqualTo(Code.INVALID_ARGUMENT);
        assertThat(detail(e, BadRequest.class).getFieldViolationsList())
                .anySatisfy(violation -> {
                    assertThat(violation.getField()).startsWith(field);
                    assertThat(violation.getDescription()).isNotBlank();
                });
    }

    private static ErrorInfo info(StatusRuntimeException e) {
        return detail(e, ErrorInfo.class);
    }

    private static <M extends Message> M detail(StatusRuntimeException e, Class<M> type) {
        com.google.rpc.Status status = StatusProto.fromThrowable(e);
        assertThat(status).isNotNull();
        for (Any any : status.getDetailsList()) {
            if (any.is(type)) {
                try {
                    return any.unpack(type);
                } catch (InvalidProtocolBufferException broken) {
                    throw new AssertionError(broken);
                }
            }
        }
        throw new AssertionError("no " + type.getSimpleName() + " in " + e);
    }

    private static Object get(Message message, String field) {
        return message.getField(message.getDescriptorForType().findFieldByName(field));
    }

    private static Message set(Message message, String name, Object value) {
        FieldDescriptor field = message.getDescriptorForType().findFieldByName(name);
        assertThat(field.getJavaType() == JavaType.MESSAGE).isEqualTo(value instanceof Message);
        return message.toBuilder().setField(field, value).build();
    }
}
