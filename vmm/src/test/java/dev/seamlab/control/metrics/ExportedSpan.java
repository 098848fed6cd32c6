// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.metrics;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.UnknownFieldSet;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;

/**
 * A span as the wire has it: {@code opentelemetry.proto.trace.v1.Span}, read by field numbers,
 * since its definition is no part of this build.
 *
 * @param traceId hexadecimal, as are the other ids
 * @param parentId empty for the root of a trace
 * @param attributes those that are text
 */
record ExportedSpan(
        String traceId,
        String spanId,
        String parentId,
        String name,
        long beganNanos,
        long endedNanos,
        Map<String, String> attributes) {
    /** The spans of an ExportTraceServiceRequest. */
    static List<ExportedSpan> of(byte[] request) {
        List<ExportedSpan> spans = new ArrayList<>();
        try {
            for (UnknownFieldSet resource : inside(UnknownFieldSet.parseFrom(request), 1)) {
                for (UnknownFieldSet scope : inside(resource, 2)) {
                    for (UnknownFieldSet span : inside(scope, 2)) {
                        spans.add(read(span));
                    }
                }
            }
        } catch (InvalidProtocolBufferException e) {
            throw new AssertionError("no ExportTraceServiceRequest", e);
        }
        return spans;
    }

    private static ExportedSpan read(UnknownFieldSet span) throws InvalidProtocolBufferException {
        Map<String, String> attributes = new HashMap<>();
        for (UnknownFieldSet pair : inside(span, 9)) {
            for (UnknownFieldSet value : inside(pair, 2)) {
                for (ByteString text : value.getField(1).getLengthDelimitedList()) {
                    attributes.put(bytes(pair, 1).toStringUtf8(), text.toStringUtf8());
                }
            }
        }
        return new ExportedSpan(
                hex(bytes(span, 1)),
                hex(bytes(span, 2)),
                hex(bytes(span, 4)),
                bytes(span, 5).toStringUtf8(),
                span.getField(7).getFixed64List().getFirst(),
                span.getField(8).getFixed64List().getFirst(),
                attributes);
    }

    private static List<UnknownFieldSet> inside(UnknownFieldSet message, int field)
            throws InvalidProtocolBufferException {
        List<UnknownFieldSet> messages = new ArrayList<>();
        for (ByteString each : message.getField(field).getLengthDelimitedList()) {
            messages.add(UnknownFieldSet.parseFrom(each));
        }
        return messages;
    }

    private static ByteString bytes(UnknownFieldSet message, int field) {
        List<ByteString> all = message.getField(field).getLengthDelimitedList();
        return all.isEmpty() ? ByteString.EMPTY : all.getFirst();
    }

    private static String hex(ByteString bytes) {
        return HexFormat.of().formatHex(bytes.toByteArray());
    }
}
