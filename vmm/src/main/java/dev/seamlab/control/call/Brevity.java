// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.call;

import com.google.protobuf.Any;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Descriptors.FieldDescriptor.JavaType;
import com.google.protobuf.Message;
import com.google.rpc.Code;
import com.google.rpc.Status;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * Makes errors short enough to arrive. gRPC carries an error in HTTP/2 headers, of which clients
 * take 8 KiB by default and turn the whole call into INTERNAL beyond that; but messages and details
 * echo what the client sent, which may be megabytes. So long texts lose their middle, and long
 * lists their end, until the error fits.
 *
 * <p>An error costs the message, percent-encoded, and the status with its details, in base64.
 */
final class Brevity {
    /** Bytes that the message may have in its header, percent-encoded. */
    static final int MESSAGE_BYTES = 1200;

    /** Bytes that the status may have, the message and all details included, before base64. */
    static final int STATUS_BYTES = 4096;

    private static final int MESSAGE_CHARACTERS = 600;
    private static final int TEXT_CHARACTERS = 300;
    private static final int LEAST_CHARACTERS = 16;
    private static final int ENTRIES = 16;
    private static final char ELLIPSIS = '\u2026';

    private Brevity() {}

    /** A status that fits into the headers of an answer. */
    static Status status(Code code, String message, List<Message> details) {
        String said = message(message);
        Status status = status(code, said, details, TEXT_CHARACTERS);
        for (int most = TEXT_CHARACTERS / 2;
                status.getSerializedSize() > STATUS_BYTES && most >= LEAST_CHARACTERS;
                most /= 2) {
            status = status(code, said, details, most);
        }
        return status;
    }

    private static Status status(Code code, String message, List<Message> details, int most) {
        Status.Builder status = Status.newBuilder().setCode(code.getNumber()).setMessage(message);
        for (Message detail : details) {
            status.addDetails(Any.pack(shorten(detail, most)));
        }
        return status.build();
    }

    private static String message(String text) {
        int most = MESSAGE_CHARACTERS;
        String said = cut(text, most);
        while (headerBytes(said) > MESSAGE_BYTES) {
            most /= 2;
            said = cut(text, most);
        }
        return said;
    }

    /** What a text costs in a header: three bytes for each one that is no printable ASCII. */
    static int headerBytes(String text) {
        int bytes = 0;
        for (byte each : text.getBytes(StandardCharsets.UTF_8)) {
            bytes += each < ' ' || each > '~' || each == '%' ? 3 : 1;
        }
        return bytes;
    }

    private static Message shorten(Message message, int most) {
        Message.Builder shorter = message.toBuilder();
        message.getAllFields()
                .forEach((field, value) -> shorter.setField(field, shorten(field, value, most)));
        return shorter.build();
    }

    private static Object shorten(FieldDescriptor field, Object value, int most) {
        if (!(value instanceof List<?> entries)) {
            return shortenOne(field, value, most);
        }
        List<Object> first = new ArrayList<>();
        for (Object entry : entries.subList(0, Math.min(ENTRIES, entries.size()))) {
            first.add(shortenOne(field, entry, most));
        }
        return first;
    }

    private static Object shortenOne(FieldDescriptor field, Object value, int most) {
        if (field.getJavaType() == JavaType.STRING) {
            return cut((String) value, most);
        }
        return field.getJavaType() == JavaType.MESSAGE ? shorten((Message) value, most) : value;
    }

    /**
     * A text without its middle where it is too long. Head and tail stay, because the head says
     * what is wrong, and the tail what to do.
     *
     * @param most characters of the result
     */
    static String cut(String text, int most) {
        if (text.length() <= most) {
            return text;
        }
        int tail = text.length() - most / 3;
        int head = most - most / 3 - 1;
        if (Character.isHighSurrogate(text.charAt(head - 1))) {
            head--;
        }
        if (Character.isLowSurrogate(text.charAt(tail))) {
            tail++;
        }
        return text.substring(0, head) + ELLIPSIS + text.substring(tail);
    }
}
