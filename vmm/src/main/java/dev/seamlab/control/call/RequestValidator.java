// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.call;

import build.buf.protovalidate.ValidationResult;
import build.buf.protovalidate.Validator;
import build.buf.protovalidate.ValidatorFactory;
import build.buf.protovalidate.exceptions.ValidationException;
import build.buf.validate.FieldPath;
import build.buf.validate.FieldPathElement;
import build.buf.validate.Violation;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Message;
import com.google.rpc.BadRequest;
import jakarta.inject.Singleton;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Checks requests against the rules that stand in the .proto files beside the fields. */
@Singleton
final class RequestValidator {
    /** What to say instead of "does not match regex pattern": by the last part of the field. */
    private static final Map<String, String> PATTERNS =
            Map.of(
                    "name",
                    "must be the full name, for example trustDomains/web-1, sandboxes/lab-1 or"
                            + " trustDomains/web-1/vcpus/0",
                    "parent",
                    "must be the full name, for example trustDomains/web-1",
                    "trust_domain",
                    "must be the full name, for example trustDomains/web-1",
                    "trust_domain_id",
                    "must be 1 to 63 of a-z, 0-9 and '-', begin with a letter and not end with"
                            + " '-', for example web-1; empty lets the server choose",
                    "vm_id",
                    "must be 1 to 63 of a-z, 0-9 and '-', begin with a letter and not end with"
                            + " '-', for example vm-1; empty lets the server choose",
                    "fault_id",
                    "must be 1 to 63 of a-z, 0-9 and '-', begin with a letter and not end with"
                            + " '-', for example busy-1; empty lets the server choose",
                    "sandbox",
                    "must be sandboxes/ and an id, for example sandboxes/lab-1; empty means the"
                            + " server's own host",
                    "sandbox_id",
                    "must be 1 to 63 of a-z, 0-9 and '-', begin with a letter and not end with"
                            + " '-', for example lab-1; empty lets the server choose");

    private final Validator validator = ValidatorFactory.newBuilder().build();
    private final RealDurations durations = new RealDurations();

    /**
     * @throws Rejection INVALID_ARGUMENT that names each bad field and how to mend it
     */
    void check(Message request) {
        List<BadRequest.FieldViolation> unreal = durations.check(request);
        if (!unreal.isEmpty()) {
            throw Rejection.invalid(unreal);
        }
        ValidationResult result;
        try {
            result = validator.validate(request);
        } catch (ValidationException e) {
            throw new IllegalStateException(
                    "the rules of " + request.getDescriptorForType().getFullName() + " are broken",
                    e);
        }
        if (!result.isSuccess()) {
            List<BadRequest.FieldViolation> violations = new ArrayList<>();
            for (Violation violation : result.toProto().getViolationsList()) {
                violations.add(
                        BadRequest.FieldViolation.newBuilder()
                                .setField(field(violation))
                                .setDescription(describe(request.getDescriptorForType(), violation))
                                .build());
            }
            throw Rejection.invalid(violations);
        }
    }

    private static String describe(Descriptor type, Violation violation) {
        List<String> choice = choice(type, violation.getField());
        if (!choice.isEmpty()) {
            return "is missing: set one of " + String.join(", ", choice);
        }
        if (violation.getRuleId().equals("string.pattern")) {
            List<FieldPathElement> elements = violation.getField().getElementsList();
            String better = PATTERNS.get(elements.getLast().getFieldName());
            if (better != null) {
                return better;
            }
        }
        return violation.getMessage();
    }

    /** The fields of the oneof that a path ends at; none where it ends at a field. */
    private static List<String> choice(Descriptor type, FieldPath path) {
        Descriptor at = type;
        for (FieldPathElement element : path.getElementsList()) {
            FieldDescriptor field = at.findFieldByName(element.getFieldName());
            if (field == null) {
                return at.getOneofs().stream()
                        .filter(oneof -> oneof.getName().equals(element.getFieldName()))
                        .flatMap(oneof -> oneof.getFields().stream())
                        .map(FieldDescriptor::getName)
                        .toList();
            }
            if (field.getJavaType() != FieldDescriptor.JavaType.MESSAGE) {
                return List.of();
            }
            at = field.getMessageType();
        }
        return List.of();
    }

    /** Where it is; rules that look into a message have the field that they mean as their id. */
    private static String field(Violation violation) {
        String path = path(violation.getField());
        return violation.getRuleId().startsWith(path + ".") ? violation.getRuleId() : path;
    }

    private static String path(FieldPath path) {
        StringBuilder text = new StringBuilder();
        for (FieldPathElement element : path.getElementsList()) {
            text.append(text.isEmpty() ? "" : ".").append(element.getFieldName());
            if (element.hasIndex()) {
                text.append('[').append(element.getIndex()).append(']');
            }
        }
        return text.toString();
    }
}
