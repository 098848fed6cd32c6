// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.call;

import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Descriptors.FieldDescriptor.JavaType;
import com.google.protobuf.Duration;
import com.google.protobuf.Message;
import com.google.protobuf.util.Durations;
import com.google.rpc.BadRequest;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;

/**
 * Finds durations that are none: parts of different sign, or beyond 10,000 years. The validator's
 * rules do not look at that, and overflow. Any thread.
 */
final class RealDurations {
    /** By type of request: where durations can be. */
    private final Map<Descriptor, List<List<FieldDescriptor>>> places = new ConcurrentHashMap<>();

    /** What is wrong with the durations of a request. */
    List<BadRequest.FieldViolation> check(Message request) {
        List<BadRequest.FieldViolation> bad = new ArrayList<>();
        for (List<FieldDescriptor> path :
                places.computeIfAbsent(request.getDescriptorForType(), RealDurations::find)) {
            if (at(request, path) instanceof Duration duration && !Durations.isValid(duration)) {
                bad.add(
                        BadRequest.FieldViolation.newBuilder()
                                .setField(
                                        path.stream()
                                                .map(FieldDescriptor::getName)
                                                .collect(Collectors.joining(".")))
                                .setDescription(
                                        "is no duration: seconds and nanos must have the same sign,"
                                                + " and nanos must be less than a second")
                                .build());
            }
        }
        return bad;
    }

    private static Message at(Message request, List<FieldDescriptor> path) {
        Message at = request;
        for (FieldDescriptor field : path) {
            at = (Message) at.getField(field);
        }
        return at;
    }

    private static List<List<FieldDescriptor>> find(Descriptor type) {
        List<List<FieldDescriptor>> found = new ArrayList<>();
        find(type, List.of(), found);
        return List.copyOf(found);
    }

    /** Through single messages of ours, which do not contain themselves. */
    private static void find(
            Descriptor type, List<FieldDescriptor> path, List<List<FieldDescriptor>> found) {
        for (FieldDescriptor field : type.getFields()) {
            if (field.getJavaType() != JavaType.MESSAGE || field.isRepeated()) {
                continue;
            }
            List<FieldDescriptor> longer = new ArrayList<>(path);
            longer.add(field);
            Descriptor inside = field.getMessageType();
            if (inside.getFullName().equals(Duration.getDescriptor().getFullName())) {
                found.add(List.copyOf(longer));
            } else if (inside.getFullName().startsWith("seamlab.")) {
                find(inside, longer, found);
            }
        }
    }
}
