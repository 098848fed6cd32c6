// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.call;

import com.google.protobuf.Any;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Descriptors.FieldDescriptor.JavaType;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.rpc.BadRequest;
import com.google.rpc.Code;
import com.google.rpc.Status;
import dev.seamlab.control.contract.Api;
import dev.seamlab.control.contract.Rpc;
import io.grpc.StatusRuntimeException;
import java.io.ByteArrayInputStream;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Fuzz target: a method, and a request for it as it comes from the wire. It is no message of that
 * type; or it is refused, and the answer names fields or oneofs that the type has; or it passes,
 * and so does what its filter and page token are read by. Nothing else comes out.
 */
public final class RequestsFuzz {
    private static final List<Rpc> METHODS = Api.all();
    private static final RequestValidator VALIDATOR = new RequestValidator();

    private RequestsFuzz() {}

    /** Called by the fuzzer, and by the test that runs the kept inputs. */
    public static void fuzzerTestOneInput(byte[] input) {
        if (input.length == 0) {
            return;
        }
        Rpc rpc = METHODS.get((input[0] & 0xFF) % METHODS.size());
        Message request;
        try {
            request =
                    rpc.method()
                            .getRequestMarshaller()
                            .parse(new ByteArrayInputStream(input, 1, input.length - 1));
        } catch (StatusRuntimeException noMessage) {
            return;
        }
        try {
            VALIDATOR.check(request);
            readText(rpc, request);
        } catch (Rejection refused) {
            checkRefusal(refused.status(), request.getDescriptorForType());
        }
    }

    private static void readText(Rpc rpc, Message request) {
        String filter = text(request, "filter");
        if (filter != null) {
            for (Filter.Term term : Filter.terms(filter, "a=b")) {
                check(!term.key().isEmpty() && !term.value().isEmpty(), "an empty term");
            }
        }
        String token = text(request, "page_token");
        if (token != null) {
            String last = PageToken.of(rpc.name()).read(token, filter == null ? "" : filter);
            check(last.isEmpty() == token.isEmpty(), "a token that says nothing");
        }
    }

    /** A field of the request that is a text; null where it has none of that name. */
    private static @Nullable String text(Message request, String name) {
        FieldDescriptor field = request.getDescriptorForType().findFieldByName(name);
        boolean one =
                field != null && field.getJavaType() == JavaType.STRING && !field.isRepeated();
        return one ? (String) request.getField(field) : null;
    }

    private static void checkRefusal(Status refusal, Descriptor type) {
        check(refusal.getCode() == Code.INVALID_ARGUMENT_VALUE, "refused with " + refusal);
        int named = 0;
        for (Any detail : refusal.getDetailsList()) {
            if (!detail.is(BadRequest.class)) {
                continue;
            }
            try {
                for (BadRequest.FieldViolation violation :
                        detail.unpack(BadRequest.class).getFieldViolationsList()) {
                    check(isField(type, violation.getField()), "no field: " + violation);
                    check(!violation.getDescription().isEmpty(), "no word about " + violation);
                    named++;
                }
            } catch (InvalidProtocolBufferException e) {
                throw new AssertionError(e);
            }
        }
        check(named > 0, "refused without a field: " + refusal);
    }

    private static boolean isField(Descriptor type, String path) {
        Descriptor at = type;
        for (String name : path.split("\\.", -1)) {
            FieldDescriptor field =
                    at == null ? null : at.findFieldByName(name.replaceFirst("\\[.*", ""));
            if (field == null) {
                return at != null && isOneof(at, name);
            }
            at = field.getJavaType() == JavaType.MESSAGE ? field.getMessageType() : null;
        }
        return true;
    }

    private static boolean isOneof(Descriptor type, String name) {
        return type.getOneofs().stream().anyMatch(oneof -> oneof.getName().equals(name));
    }

    private static void check(boolean holds, String otherwise) {
        if (!holds) {
            throw new AssertionError(otherwise);
        }
    }
}
