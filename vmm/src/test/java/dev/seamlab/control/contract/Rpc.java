// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.contract;

import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Message;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.MethodDescriptor.PrototypeMarshaller;
import io.grpc.stub.ClientCalls;
import java.util.Iterator;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** A method of the API, to be called with any message of its type. */
public final class Rpc {
    private static final long PATIENCE_SECONDS = 30;

    private final MethodDescriptor<Message, Message> method;

    @SuppressWarnings("unchecked") // All our methods take and answer with messages.
    Rpc(MethodDescriptor<?, ?> method) {
        this.method = (MethodDescriptor<Message, Message>) method;
    }

    /** For example {@code Kvm/CreateVm}; services of all packages have different names. */
    public String name() {
        String full = method.getFullMethodName();
        return full.substring(full.lastIndexOf('.') + 1);
    }

    /** The method as gRPC knows it. */
    public MethodDescriptor<Message, Message> method() {
        return method;
    }

    boolean isUnary() {
        return method.getType() == MethodType.UNARY;
    }

    boolean takesOneRequest() {
        return method.getType() != MethodType.BIDI_STREAMING;
    }

    /** An empty request. */
    Message request() {
        Object empty =
                ((PrototypeMarshaller<Message>) method.getRequestMarshaller())
                        .getMessagePrototype();
        if (empty == null) {
            throw new AssertionError(name() + " has a request of no type");
        }
        return (Message) empty;
    }

    Descriptor requestType() {
        return request().getDescriptorForType();
    }

    /** A field of the request; null where it has none of that name. */
    @Nullable FieldDescriptor field(String field) {
        return requestType().findFieldByName(field);
    }

    /** Calls it; of a stream, the first message. */
    Message call(Channel channel, Message request) {
        return call(channel, request, PATIENCE_SECONDS * 1000);
    }

    Message call(Channel channel, Message request, long deadlineMillis) {
        CallOptions options =
                CallOptions.DEFAULT.withDeadlineAfter(deadlineMillis, TimeUnit.MILLISECONDS);
        if (isUnary()) {
            return ClientCalls.blockingUnaryCall(channel, method, options, request);
        }
        Iterator<Message> answers =
                ClientCalls.blockingServerStreamingCall(channel, method, options, request);
        return answers.next();
    }

    /** Reads a stream to its end, or to the deadline. */
    Message drain(Channel channel, Message request, long deadlineMillis) {
        CallOptions options =
                CallOptions.DEFAULT.withDeadlineAfter(deadlineMillis, TimeUnit.MILLISECONDS);
        Iterator<Message> answers =
                ClientCalls.blockingServerStreamingCall(channel, method, options, request);
        Message last = request;
        while (answers.hasNext()) {
            last = answers.next();
        }
        return last;
    }

    @Override
    public String toString() {
        return name();
    }
}
