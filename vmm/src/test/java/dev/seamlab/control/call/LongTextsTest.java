// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.call;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.longrunning.OperationsGrpc;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Descriptors.FieldDescriptor.JavaType;
import com.google.protobuf.DynamicMessage;
import com.google.protobuf.Message;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import dev.seamlab.control.GrpcLab;
import io.grpc.CallOptions;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.ServiceDescriptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.ProtoMethodDescriptorSupplier;
import io.grpc.protobuf.ProtoUtils;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.ClientCalls;
import io.quarkus.test.junit.QuarkusTest;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.assertj.core.api.SoftAssertions;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.junit.jupiter.api.Test;

/**
 * Requests whose texts are far too long, to every method that takes a text: the error still
 * arrives, with its details, at a client with the usual limit of 8 KiB of headers.
 */
@QuarkusTest
class LongTextsTest {
    private static final int DEPTH = 4;

    @ConfigProperty(name = "quarkus.grpc.server.test-port")
    int port;

    /** A way to fill all texts of a request. */
    private enum Filling {
        LONG("a".repeat(9_000), 1),
        NOT_ASCII("\u4e16\u754c".repeat(3_000), 1),
        LIKE_A_NAME("trustDomains/" + "a".repeat(6_000), 1),
        MANY("state=" + "b".repeat(90), 300);

        private final String text;
        private final int entries;

        Filling(String text, int entries) {
            this.text = text;
            this.entries = entries;
        }
    }

    @Test
    void everyMethodThatTakesText_refusesLongOnesWithAnErrorThatArrives() throws Exception {
        List<String> asked = new ArrayList<>();
        SoftAssertions each = new SoftAssertions();
        try (GrpcLab lab = new GrpcLab(port)) {
            for (MethodDescriptor<?, ?> method : methods()) {
                Descriptor input = descriptor(method).getInputType();
                if (!takesText(input, DEPTH)) {
                    continue;
                }
                asked.add(method.getFullMethodName());
                for (Filling filling : Filling.values()) {
                    Optional<StatusRuntimeException> answer =
                            call(lab.channel(), method, fill(input, filling, DEPTH));
                    each.assertThat(answer)
                            .as("%s, %s", method.getFullMethodName(), filling)
                            .isPresent()
                            .hasValueSatisfying(LongTextsTest::arrivedWhole);
                }
            }
        }
        each.assertAll();
        assertThat(asked).hasSizeGreaterThan(50).contains("seamlab.v1.TrustDomains/GetTrustDomain");
    }

    private static void arrivedWhole(StatusRuntimeException e) {
        assertThat(e.getStatus().getCode())
                .as(e.getMessage())
                .isIn(
                        Status.Code.INVALID_ARGUMENT,
                        Status.Code.NOT_FOUND,
                        Status.Code.FAILED_PRECONDITION);
        com.google.rpc.Status status = StatusProto.fromThrowable(e);
        assertThat(status).isNotNull();
        assertThat(status.getDetailsCount()).isPositive();
        assertThat(status.getMessage()).isNotBlank();
    }

    // ------------------------------------------------------------------ requests

    private static boolean takesText(Descriptor type, int depth) {
        return type.getFields().stream()
                .anyMatch(field ->
                        field.getJavaType() == JavaType.STRING
                                || (depth > 0
                                        && field.getJavaType() == JavaType.MESSAGE
                                        && takesText(field.getMessageType(), depth - 1)));
    }

    /** A request with this text in every field that takes one, the last of each oneof winning. */
    private static DynamicMessage fill(Descriptor type, Filling filling, int depth) {
        DynamicMessage.Builder message = DynamicMessage.newBuilder(type);
        int entries = depth == DEPTH ? filling.entries : 1; // or they would multiply
        for (FieldDescriptor field : type.getFields()) {
            for (int i = 0; i < (field.isRepeated() ? entries : 1); i++) {
                if (field.getJavaType() == JavaType.STRING) {
                    put(message, field, filling.text);
                } else if (field.getJavaType() == JavaType.MESSAGE
                        && depth > 0
                        && takesText(field.getMessageType(), depth - 1)) {
                    put(message, field, fill(field.getMessageType(), filling, depth - 1));
                }
            }
        }
        return message.build();
    }

    private static void put(DynamicMessage.Builder message, FieldDescriptor field, Object value) {
        if (field.isRepeated()) {
            message.addRepeatedField(field, value);
        } else {
            message.setField(field, value);
        }
    }

    // ------------------------------------------------------------------ methods

    private static List<MethodDescriptor<?, ?>> methods() throws ReflectiveOperationException {
        List<MethodDescriptor<?, ?>> methods =
                new ArrayList<>(OperationsGrpc.getServiceDescriptor().getMethods());
        for (JavaClass type : new ClassFileImporter().importPackages("dev.seamlab.v1")) {
            String name = type.getSimpleName();
            if (type.isTopLevelClass() && name.endsWith("Grpc") && !name.startsWith("Mutiny")) {
                ServiceDescriptor service =
                        (ServiceDescriptor)
                                Class.forName(type.getName())
                                        .getMethod("getServiceDescriptor")
                                        .invoke(null);
                methods.addAll(service.getMethods());
            }
        }
        return methods;
    }

    private static com.google.protobuf.Descriptors.MethodDescriptor descriptor(
            MethodDescriptor<?, ?> method) {
        return ((ProtoMethodDescriptorSupplier) method.getSchemaDescriptor()).getMethodDescriptor();
    }

    private static Optional<StatusRuntimeException> call(
            ManagedChannel channel, MethodDescriptor<?, ?> method, Message request) {
        MethodDescriptor<Message, Message> dynamic =
                MethodDescriptor.<Message, Message>newBuilder()
                        .setType(MethodDescriptor.MethodType.SERVER_STREAMING)
                        .setFullMethodName(method.getFullMethodName())
                        .setRequestMarshaller(
                                ProtoUtils.marshaller(
                                        DynamicMessage.getDefaultInstance(
                                                descriptor(method).getInputType())))
                        .setResponseMarshaller(
                                ProtoUtils.marshaller(
                                        DynamicMessage.getDefaultInstance(
                                                descriptor(method).getOutputType())))
                        .build();
        Iterator<Message> answers =
                ClientCalls.blockingServerStreamingCall(
                        channel,
                        dynamic,
                        CallOptions.DEFAULT.withDeadlineAfter(30, TimeUnit.SECONDS),
                        request);
        try {
            boolean granted = answers.hasNext();
            assertThat(granted).as("%s answered", method.getFullMethodName()).isTrue();
            return Optional.empty();
        } catch (StatusRuntimeException e) {
            return Optional.of(e);
        }
    }
}
