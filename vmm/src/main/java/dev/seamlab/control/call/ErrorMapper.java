// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.call;

import com.google.protobuf.Message;
import com.google.rpc.BadRequest;
import com.google.rpc.Code;
import com.google.rpc.PreconditionFailure;
import com.google.rpc.QuotaFailure;
import com.google.rpc.Status;
import dev.seamlab.guest.InvalidProgramException;
import dev.seamlab.machine.profile.InvalidProfileException;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.StatusCode;
import dev.seamlab.vmm.Outcome;
import dev.seamlab.vmm.Refusal;
import dev.seamlab.vmm.Violation;
import dev.seamlab.vmm.tdvf.InvalidFirmwareException;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import jakarta.inject.Singleton;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import org.jboss.logging.Logger;

/**
 * The one place where what went wrong below becomes what clients see: a google.rpc.Status with an
 * ErrorInfo (reason: the module's status name, the errno, or ours) and the detail that fits.
 */
@Singleton
public final class ErrorMapper {
    private static final Logger LOG = Logger.getLogger(ErrorMapper.class);

    /** Errnos after which the same call may succeed. */
    private static final Set<String> TRANSIENT = Set.of("EAGAIN", "EBUSY", "EINTR", "ERESTARTSYS");

    private static final String VM_TYPE = "seamlab.dev/Vm";

    /** Where a field of a specification stands in a create request. */
    private static final Map<String, String> FIELDS =
            Map.of(
                    "id", "trust_domain_id",
                    "memory_bytes", "trust_domain.memory_bytes",
                    "memoryBytes", "trust_domain.memory_bytes",
                    "vcpus", "trust_domain.vcpu_count",
                    "attributes", "trust_domain.attributes",
                    "gpa_width", "trust_domain.gpa_width",
                    "gpaWidth", "trust_domain.gpa_width",
                    "workload", "trust_domain.guest_program");

    /** The value of an outcome, or the rejection that tells why there is none. */
    public <T> T granted(Outcome<T> outcome) {
        return switch (outcome) {
            case Outcome.Done<T>(T value) -> value;
            case Outcome.Refused<T>(Refusal refusal) -> throw rejection(refusal);
        };
    }

    /** For the wire. */
    public StatusRuntimeException toException(Throwable e) {
        return StatusProto.toStatusRuntimeException(toStatus(e));
    }

    /** What clients see of anything that was thrown. */
    public Status toStatus(Throwable e) {
        return switch (e) {
            case Rejection rejection -> rejection.status();
            case InvalidProgramException bad ->
                    Rejection.invalid("trust_domain.guest_program.text", text(bad)).status();
            case InvalidFirmwareException bad ->
                    Rejection.invalid("trust_domain.firmware.image", text(bad)).status();
            case InvalidProfileException bad -> badProfile(bad).status();
            default -> internal(e).status();
        };
    }

    /** What clients see of a refusal. */
    public Status toStatus(Refusal refusal) {
        return rejection(refusal).status();
    }

    /** A refusal of the VMM as the API says it. */
    public Rejection rejection(Refusal refusal) {
        return switch (refusal) {
            case Refusal.InvalidSpec(List<Violation> violations) -> invalidSpec(violations);
            case Refusal.NotFound(String id) ->
                    Rejection.notFound(TrustDomainName.TYPE, TrustDomainName.of(id));
            case Refusal.AlreadyExists(String id) ->
                    Rejection.alreadyExists(TrustDomainName.TYPE, TrustDomainName.of(id));
            case Refusal.WrongState wrong -> wrongState(wrong);
            case Refusal.NotBuilt not ->
                    Rejection.precondition(
                            "WRONG_STATE", TrustDomainName.of(not.id()), not.message());
            case Refusal.BadRange(String field, String description) ->
                    Rejection.invalid(field, description);
            case Refusal.NotAllowedByTdx(String id, String reason) ->
                    Rejection.precondition("NOT_ALLOWED_BY_TDX", TrustDomainName.of(id), reason);
            case Refusal.NoKeyId none ->
                    exhausted("NO_KEY_ID", "host/keyIds", none.message(), Map.of());
            case Refusal.NoMemory none ->
                    exhausted("NO_MEMORY", "host/memory", none.message(), Map.of());
            case Refusal.ModuleRefused refused -> moduleRefused(refused);
            case Refusal.HostError error -> hostError(error);
            case Refusal.GuestFailed failed ->
                    Rejection.of(
                            Code.ABORTED,
                            "GUEST_FAILED",
                            failed.message(),
                            Map.of(
                                    "td", failed.id(),
                                    "vcpu", Integer.toString(failed.vcpu())));
            case Refusal.VmDead dead ->
                    Rejection.precondition(
                            "VM_DEAD", TrustDomainName.of(dead.id()), dead.message());
            case Refusal.VcpuDriven driven ->
                    Rejection.of(
                            Code.ABORTED,
                            "VCPU_DRIVEN_BY_CLIENT",
                            driven.message(),
                            Map.of(
                                    "td", driven.id(),
                                    "vcpu", Integer.toString(driven.vcpu())),
                            Rejection.retryAfter(1));
            case Refusal.StepVcpuBusy busy ->
                    Rejection.of(
                            Code.ABORTED,
                            "VCPU_BUSY",
                            busy.message(),
                            Map.of(
                                    "vm", busy.id(),
                                    "vcpu", Integer.toString(busy.vcpu())),
                            Rejection.retryAfter(1));
            case Refusal.NoVcpu none ->
                    Rejection.notFound(
                            "seamlab.dev/Vcpu",
                            TrustDomainName.of(none.id()) + "/vcpus/" + none.vcpu());
            case Refusal.NoVm(String id) -> Rejection.notFound(VM_TYPE, "vms/" + id);
            case Refusal.VmExists(String id) -> Rejection.alreadyExists(VM_TYPE, "vms/" + id);
            case Refusal.NoStepVcpu none ->
                    Rejection.invalid("vcpu", none.message() + ": CreateVcpu makes them");
            case Refusal.IoctlFailed failed -> ioctlFailed(failed);
            case Refusal.Cancelled cancelled ->
                    Rejection.of(
                            Code.CANCELLED,
                            "CANCELLED",
                            cancelled.message(),
                            Map.of("step", cancelled.step()));
        };
    }

    /** Violations of a specification, with the fields named as the create request names them. */
    public Rejection invalidSpec(List<Violation> violations) {
        return Rejection.invalid(
                "INVALID_TRUST_DOMAIN",
                violations.stream()
                        .map(violation ->
                                BadRequest.FieldViolation.newBuilder()
                                        .setField(field(violation.field()))
                                        .setDescription(violation.description())
                                        .build())
                        .toList());
    }

    private static String field(String name) {
        String known = FIELDS.get(name);
        if (known != null) {
            return known;
        }
        return name.startsWith("trust_domain") ? name : "trust_domain." + name;
    }

    private static Rejection wrongState(Refusal.WrongState wrong) {
        String name = TrustDomainName.of(wrong.id());
        return Rejection.of(
                Code.FAILED_PRECONDITION,
                "WRONG_STATE",
                wrong.message(),
                Map.of(
                        "td", wrong.id(),
                        "state", wrong.state().name(),
                        "action", wrong.action().name()),
                PreconditionFailure.newBuilder()
                        .addViolations(
                                PreconditionFailure.Violation.newBuilder()
                                        .setType("STATE")
                                        .setSubject(name)
                                        .setDescription(wrong.message()))
                        .build());
    }

    private static Rejection moduleRefused(Refusal.ModuleRefused refused) {
        StatusCode status = StatusCode.of(refused.status());
        String reason = status == null ? "UNKNOWN_STATUS" : status.name();
        Map<String, String> metadata = new TreeMap<>();
        metadata.put("status_word", String.format("0x%016x", refused.status()));
        metadata.put("leaf", refused.leaf());
        metadata.put("step", refused.step());
        Operand operand = refused.operand();
        if (operand != null) {
            metadata.put("operand", operand.name());
        }
        if (dev.seamlab.seam.abi.Status.isRecoverable(refused.status())) {
            return Rejection.of(
                    Code.ABORTED, reason, refused.message(), metadata, Rejection.retryAfter(1));
        }
        return precondition(reason, refused.leaf(), refused.message(), metadata);
    }

    /** The errno as a code: what is wrong with the call, with the VM's state, or with the host. */
    private static Rejection ioctlFailed(Refusal.IoctlFailed failed) {
        Map<String, String> metadata = new TreeMap<>(failed.more());
        metadata.put("ioctl", failed.ioctl());
        if (failed.hwError() != 0) {
            metadata.put("hw_error", String.format("0x%016x", failed.hwError()));
        }
        failed.answer()
                .ifPresent(answer -> {
                    metadata.put("leaf", answer.leaf());
                    metadata.put("status_word", String.format("0x%016x", answer.status()));
                });
        String errno = failed.errno();
        String message = failed.message();
        return switch (errno) {
            case "EINVAL", "E2BIG", "EFAULT" ->
                    Rejection.of(Code.INVALID_ARGUMENT, errno, message, metadata);
            case "EEXIST" -> Rejection.of(Code.ALREADY_EXISTS, errno, message, metadata);
            case "ENOENT" -> Rejection.of(Code.NOT_FOUND, errno, message, metadata);
            case "EINTR" -> Rejection.of(Code.CANCELLED, errno, message, metadata);
            case "EAGAIN", "EBUSY" ->
                    Rejection.of(Code.ABORTED, errno, message, metadata, Rejection.retryAfter(1));
            case "ENOMEM" -> exhausted(errno, "host/memory", message, metadata);
            case "ENOSPC" -> exhausted(errno, "host/keyIds", message, metadata);
            default -> precondition(errno, failed.ioctl(), message, metadata);
        };
    }

    private static Rejection hostError(Refusal.HostError error) {
        String reason = error.errno();
        Map<String, String> metadata = Map.of("step", error.step());
        String message = error.message();
        if (TRANSIENT.contains(reason)) {
            return Rejection.of(Code.ABORTED, reason, message, metadata, Rejection.retryAfter(1));
        }
        return switch (reason) {
            case "ENOMEM" -> exhausted(reason, "host/memory", message, metadata);
            case "ENOSPC" -> exhausted(reason, "host/keyIds", message, metadata);
            case "EOPNOTSUPP", "ENOTTY", "ENODEV" ->
                    Rejection.of(Code.UNIMPLEMENTED, reason, message, metadata);
            case "EIO" -> Rejection.of(Code.INTERNAL, reason, message, metadata);
            default -> precondition(reason, error.step(), message, metadata);
        };
    }

    private static Rejection precondition(
            String reason, String subject, String message, Map<String, String> metadata) {
        return Rejection.of(
                Code.FAILED_PRECONDITION,
                reason,
                message,
                metadata,
                PreconditionFailure.newBuilder()
                        .addViolations(
                                PreconditionFailure.Violation.newBuilder()
                                        .setType(reason)
                                        .setSubject(subject)
                                        .setDescription(message))
                        .build());
    }

    private static Rejection exhausted(
            String reason, String subject, String message, Map<String, String> metadata) {
        return Rejection.of(
                Code.RESOURCE_EXHAUSTED,
                reason,
                message,
                metadata,
                QuotaFailure.newBuilder()
                        .addViolations(
                                QuotaFailure.Violation.newBuilder()
                                        .setSubject(subject)
                                        .setDescription(message))
                        .build(),
                Rejection.retryAfter(1));
    }

    private static Rejection badProfile(InvalidProfileException bad) {
        return Rejection.invalid(
                "INVALID_PROFILE",
                bad.violations().stream()
                        .map(violation ->
                                BadRequest.FieldViolation.newBuilder()
                                        .setField(violation.field())
                                        .setDescription(violation.description())
                                        .build())
                        .toList());
    }

    /** A defect of ours. Clients get a reference; the log says what happened. */
    private static Rejection internal(Throwable e) {
        String reference = UUID.randomUUID().toString();
        LOG.errorf(e, "Internal error %s", reference);
        return Rejection.of(
                Code.INTERNAL,
                "INTERNAL",
                "internal error; the server's log has it under " + reference,
                Map.of("reference", reference),
                new Message[0]);
    }

    private static String text(Exception e) {
        String message = e.getMessage();
        return message == null ? e.toString() : message;
    }
}
