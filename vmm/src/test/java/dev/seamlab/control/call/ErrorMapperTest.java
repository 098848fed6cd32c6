// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.call;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.rpc.BadRequest;
import com.google.rpc.Code;
import com.google.rpc.ErrorInfo;
import com.google.rpc.PreconditionFailure;
import com.google.rpc.QuotaFailure;
import com.google.rpc.ResourceInfo;
import com.google.rpc.RetryInfo;
import com.google.rpc.Status;
import dev.seamlab.guest.Workload;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.StatusCode;
import dev.seamlab.vmm.Refusal;
import dev.seamlab.vmm.TdAction;
import dev.seamlab.vmm.TdState;
import dev.seamlab.vmm.Violation;
import dev.seamlab.vmm.tdvf.TdvfImage;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class ErrorMapperTest {
    private static final long BUSY = StatusCode.OPERAND_BUSY.word() | Operand.SEPT_TREE.id();
    private static final long NOT_FREE = StatusCode.PAGE_NOT_FREE.word();

    private final ErrorMapper mapper = new ErrorMapper();

    static Stream<Arguments> refusals() {
        return Stream.of(
                Arguments.of(
                        new Refusal.InvalidSpec(List.of(new Violation("memory_bytes", "odd"))),
                        Code.INVALID_ARGUMENT,
                        "INVALID_TRUST_DOMAIN",
                        BadRequest.class),
                Arguments.of(
                        new Refusal.NotFound("a"), Code.NOT_FOUND, "NOT_FOUND", ResourceInfo.class),
                Arguments.of(
                        new Refusal.AlreadyExists("a"),
                        Code.ALREADY_EXISTS,
                        "ALREADY_EXISTS",
                        ResourceInfo.class),
                Arguments.of(
                        new Refusal.WrongState("a", TdAction.STOP, TdState.READY),
                        Code.FAILED_PRECONDITION,
                        "WRONG_STATE",
                        PreconditionFailure.class),
                Arguments.of(
                        new Refusal.NotBuilt("a", "reading", TdState.CREATING),
                        Code.FAILED_PRECONDITION,
                        "WRONG_STATE",
                        PreconditionFailure.class),
                Arguments.of(
                        new Refusal.BadRange("gpa", "no memory"),
                        Code.INVALID_ARGUMENT,
                        "INVALID_REQUEST",
                        BadRequest.class),
                Arguments.of(
                        new Refusal.NotAllowedByTdx("a", "private"),
                        Code.FAILED_PRECONDITION,
                        "NOT_ALLOWED_BY_TDX",
                        PreconditionFailure.class),
                Arguments.of(
                        new Refusal.NoKeyId(63),
                        Code.RESOURCE_EXHAUSTED,
                        "NO_KEY_ID",
                        QuotaFailure.class),
                Arguments.of(
                        new Refusal.NoMemory("guest pages"),
                        Code.RESOURCE_EXHAUSTED,
                        "NO_MEMORY",
                        QuotaFailure.class),
                Arguments.of(
                        new Refusal.ModuleRefused("build", "TDH.MEM.SEPT.ADD", BUSY),
                        Code.ABORTED,
                        "OPERAND_BUSY",
                        RetryInfo.class),
                Arguments.of(
                        new Refusal.ModuleRefused("build", "TDH.MEM.PAGE.ADD", NOT_FREE),
                        Code.FAILED_PRECONDITION,
                        "PAGE_NOT_FREE",
                        PreconditionFailure.class),
                Arguments.of(
                        new Refusal.HostError("KVM_TDX_INIT_VM", "EBUSY", "later"),
                        Code.ABORTED,
                        "EBUSY",
                        RetryInfo.class),
                Arguments.of(
                        new Refusal.HostError("KVM_TDX_INIT_VM", "ENOMEM", "none"),
                        Code.RESOURCE_EXHAUSTED,
                        "ENOMEM",
                        QuotaFailure.class),
                Arguments.of(
                        new Refusal.HostError("KVM_TDX_INIT_VM", "EINVAL", "bad"),
                        Code.FAILED_PRECONDITION,
                        "EINVAL",
                        PreconditionFailure.class),
                Arguments.of(
                        new Refusal.HostError("KVM_TDX_INIT_VM", "EIO", "module"),
                        Code.INTERNAL,
                        "EIO",
                        ErrorInfo.class),
                Arguments.of(
                        new Refusal.HostError("KVM_TDX_INIT_VM", "EOPNOTSUPP", "no"),
                        Code.UNIMPLEMENTED,
                        "EOPNOTSUPP",
                        ErrorInfo.class),
                Arguments.of(
                        new Refusal.GuestFailed("a", 1, "triple fault"),
                        Code.ABORTED,
                        "GUEST_FAILED",
                        ErrorInfo.class),
                Arguments.of(
                        new Refusal.VmDead("a", "TERMINATE"),
                        Code.FAILED_PRECONDITION,
                        "VM_DEAD",
                        PreconditionFailure.class),
                Arguments.of(
                        new Refusal.StepVcpuBusy("a", 0),
                        Code.ABORTED,
                        "VCPU_BUSY",
                        RetryInfo.class),
                Arguments.of(
                        new Refusal.VcpuDriven("a", 0),
                        Code.ABORTED,
                        "VCPU_DRIVEN_BY_CLIENT",
                        ErrorInfo.class),
                Arguments.of(
                        new Refusal.NoVcpu("a", 7),
                        Code.NOT_FOUND,
                        "NOT_FOUND",
                        ResourceInfo.class),
                Arguments.of(
                        new Refusal.NoVm("a"), Code.NOT_FOUND, "NOT_FOUND", ResourceInfo.class),
                Arguments.of(
                        new Refusal.VmExists("a"),
                        Code.ALREADY_EXISTS,
                        "ALREADY_EXISTS",
                        ResourceInfo.class),
                Arguments.of(
                        new Refusal.NoStepVcpu("a", 7),
                        Code.INVALID_ARGUMENT,
                        "INVALID_REQUEST",
                        BadRequest.class),
                Arguments.of(
                        new Refusal.IoctlFailed(
                                "KVM_TDX_INIT_VM", "EINVAL", 0, Map.of(), Optional.empty()),
                        Code.INVALID_ARGUMENT,
                        "EINVAL",
                        ErrorInfo.class),
                Arguments.of(
                        new Refusal.Cancelled("memory"),
                        Code.CANCELLED,
                        "CANCELLED",
                        ErrorInfo.class));
    }

    @ParameterizedTest
    @MethodSource("refusals")
    void refusal_ofEveryKind_hasCodeReasonAndTheDetailThatFits(
            Refusal refusal, Code code, String reason, Class<? extends Message> detail)
            throws InvalidProtocolBufferException {
        Status status = mapper.toStatus(refusal);
        assertThat(Code.forNumber(status.getCode())).isEqualTo(code);
        assertThat(status.getMessage()).isNotBlank();
        ErrorInfo info = find(status, ErrorInfo.class);
        assertThat(info.getDomain()).isEqualTo("seamlab.dev");
        assertThat(info.getReason()).isEqualTo(reason);
        assertThat(find(status, detail)).isNotNull();
    }

    @Test
    void refusals_inTheTableAbove_areAllKindsThatThereAre() {
        Set<Class<?>> told =
                refusals().map(each -> each.get()[0].getClass()).collect(Collectors.toSet());
        assertThat(told)
                .containsExactlyInAnyOrderElementsOf(
                        Arrays.asList(Refusal.class.getPermittedSubclasses()));
    }

    @Test
    void moduleRefusal_inItsMetadata_hasWordLeafAndOperand() throws Exception {
        ErrorInfo info =
                find(
                        mapper.toStatus(
                                new Refusal.ModuleRefused("build", "TDH.MEM.SEPT.ADD", BUSY)),
                        ErrorInfo.class);
        assertThat(info.getMetadataMap())
                .containsEntry("status_word", String.format("0x%016x", BUSY))
                .containsEntry("leaf", "TDH.MEM.SEPT.ADD")
                .containsEntry("operand", "SEPT_TREE");
    }

    @Test
    void invalidSpec_withAFieldOfTheSpecification_namesTheFieldOfTheRequest() throws Exception {
        BadRequest bad =
                find(
                        mapper.toStatus(
                                new Refusal.InvalidSpec(
                                        List.of(
                                                new Violation("id", "bad"),
                                                new Violation("vcpus", "too many"),
                                                new Violation("firmware.section[0]", "bad")))),
                        BadRequest.class);
        assertThat(bad.getFieldViolationsList())
                .extracting(BadRequest.FieldViolation::getField)
                .containsExactly(
                        "trust_domain_id",
                        "trust_domain.vcpu_count",
                        "trust_domain.firmware.section[0]");
    }

    @Test
    void badProgramAndBadFirmware_areInvalidArguments() throws Exception {
        assertThat(field(() -> Workload.parse("dance")))
                .isEqualTo("trust_domain.guest_program.text");
        assertThat(field(() -> TdvfImage.parse("image", new byte[4096])))
                .isEqualTo("trust_domain.firmware.image");
    }

    @Test
    void defectOfOurs_tellsAReferenceAndNothingElse() throws Exception {
        Status status = mapper.toStatus(new IllegalStateException("secret detail"));
        assertThat(Code.forNumber(status.getCode())).isEqualTo(Code.INTERNAL);
        assertThat(status.getMessage()).doesNotContain("secret");
        assertThat(status.getMessage())
                .contains(find(status, ErrorInfo.class).getMetadataOrThrow("reference"));
    }

    private String field(Runnable action) throws Exception {
        try {
            action.run();
        } catch (RuntimeException e) {
            Status status = mapper.toStatus(e);
            assertThat(Code.forNumber(status.getCode())).isEqualTo(Code.INVALID_ARGUMENT);
            return find(status, BadRequest.class).getFieldViolations(0).getField();
        }
        throw new AssertionError("nothing was refused");
    }

    private static <M extends Message> M find(Status status, Class<M> type)
            throws InvalidProtocolBufferException {
        for (Any any : status.getDetailsList()) {
            if (any.is(type)) {
                return any.unpack(type);
            }
        }
        throw new AssertionError("no " + type.getSimpleName() + " in " + status);
    }
}
