// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.call;

import com.google.protobuf.Message;
import com.google.rpc.BadRequest;
import com.google.rpc.Code;
import com.google.rpc.ErrorInfo;
import com.google.rpc.PreconditionFailure;
import com.google.rpc.QuotaFailure;
import com.google.rpc.ResourceInfo;
import com.google.rpc.RetryInfo;
import com.google.rpc.Status;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * A call that the API refuses, with the whole answer inside. Each answer carries an ErrorInfo of
 * domain {@link #DOMAIN} and the detail that fits: whoever gets it can act on it without reading
 * the message. What it echoes is cut to what arrives ({@link Brevity}).
 */
public final class Rejection extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** ErrorInfo.domain of every error. */
    static final String DOMAIN = "seamlab.dev";

    private final transient Status status;

    private Rejection(Status status) {
        super(status.getMessage(), null, false, false);
        this.status = status;
    }

    /** The answer. */
    public Status status() {
        return status;
    }

    /** A request with one bad field. */
    public static Rejection invalid(String field, String description) {
        return invalid(
                List.of(
                        BadRequest.FieldViolation.newBuilder()
                                .setField(field)
                                .setDescription(description)
                                .build()));
    }

    /** A request with bad fields; the message names all of them. */
    public static Rejection invalid(List<BadRequest.FieldViolation> violations) {
        return invalid("INVALID_REQUEST", violations);
    }

    /** As {@link #invalid(List)}, with a reason of its own. */
    public static Rejection invalid(String reason, List<BadRequest.FieldViolation> violations) {
        StringBuilder message = new StringBuilder();
        for (BadRequest.FieldViolation violation : violations) {
            message.append(message.isEmpty() ? "" : "; ")
                    .append(violation.getField())
                    .append(": ")
                    .append(violation.getDescription());
        }
        return of(
                Code.INVALID_ARGUMENT,
                reason,
                message.toString(),
                Map.of(),
                BadRequest.newBuilder().addAllFieldViolations(violations).build());
    }

    /** No such resource. */
    public static Rejection notFound(String type, String name) {
        return of(
                Code.NOT_FOUND,
                "NOT_FOUND",
                "there is no " + name,
                Map.of("name", name),
                ResourceInfo.newBuilder().setResourceType(type).setResourceName(name).build());
    }

    /** The name is taken. */
    public static Rejection alreadyExists(String type, String name) {
        return of(
                Code.ALREADY_EXISTS,
                "ALREADY_EXISTS",
                name + " exists already: choose another id or delete it first",
                Map.of("name", name),
                ResourceInfo.newBuilder().setResourceType(type).setResourceName(name).build());
    }

    /** Something changed under the caller, who has to look again. */
    public static Rejection aborted(String reason, String name, String message) {
        return of(Code.ABORTED, reason, message, Map.of("name", name));
    }

    /** The resource is not in a state for this. */
    public static Rejection precondition(String reason, String subject, String message) {
        return of(
                Code.FAILED_PRECONDITION,
                reason,
                message,
                Map.of("name", subject),
                PreconditionFailure.newBuilder()
                        .addViolations(
                                PreconditionFailure.Violation.newBuilder()
                                        .setType(reason)
                                        .setSubject(subject)
                                        .setDescription(message))
                        .build());
    }

    /** A limit of the server is reached. */
    public static Rejection exhausted(String reason, String subject, String message) {
        return of(
                Code.RESOURCE_EXHAUSTED,
                reason,
                message,
                Map.of(),
                QuotaFailure.newBuilder()
                        .addViolations(
                                QuotaFailure.Violation.newBuilder()
                                        .setSubject(subject)
                                        .setDescription(message))
                        .build(),
                retryAfter(1));
    }

    /** Any other answer. */
    public static Rejection of(
            Code code,
            String reason,
            String message,
            Map<String, String> metadata,
            Message... details) {
        List<Message> all = new ArrayList<>();
        all.add(
                ErrorInfo.newBuilder()
                        .setDomain(DOMAIN)
                        .setReason(reason)
                        .putAllMetadata(metadata)
                        .build());
        all.addAll(List.of(details));
        return new Rejection(Brevity.status(code, message, all));
    }

    /** Tells that the same call may succeed a little later. */
    public static RetryInfo retryAfter(int seconds) {
        return RetryInfo.newBuilder()
                .setRetryDelay(
                        com.google.protobuf.Duration.newBuilder().setSeconds(seconds).build())
                .build();
    }
}
