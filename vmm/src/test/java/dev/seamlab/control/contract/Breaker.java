// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.contract;

import build.buf.validate.BytesRules;
import build.buf.validate.DurationRules;
import build.buf.validate.EnumRules;
import build.buf.validate.FieldRules;
import build.buf.validate.Ignore;
import build.buf.validate.OneofRules;
import build.buf.validate.RepeatedRules;
import build.buf.validate.StringRules;
import build.buf.validate.ValidateProto;
import com.google.protobuf.ByteString;
import com.google.protobuf.Descriptors.EnumDescriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Descriptors.FieldDescriptor.JavaType;
import com.google.protobuf.Descriptors.OneofDescriptor;
import com.google.protobuf.Duration;
import com.google.protobuf.Message;
import com.google.protobuf.util.Durations;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;

/**
 * Breaks each rule that stands beside the fields of a request, one at a time. Works from the
 * descriptors, so that a new field is tried without anybody thinking of it.
 */
final class Breaker {
    /** A request with one bad field. */
    record Broken(String field, String rule, Message request) {
        @Override
        public String toString() {
            return field + " (" + rule + ")";
        }
    }

    private final List<Broken> broken = new ArrayList<>();

    private Breaker() {}

    /** Everything that can be wrong with a request that is right. */
    static List<Broken> of(Message good) {
        Breaker breaker = new Breaker();
        breaker.message(good, "", whole -> whole);
        return breaker.broken;
    }

    /** Breaks what is in a message; {@code around} puts it back into the request. */
    private void message(Message message, String prefix, UnaryOperator<Message> around) {
        for (OneofDescriptor oneof : message.getDescriptorForType().getRealOneofs()) {
            OneofRules rules = oneof.getOptions().getExtension(ValidateProto.oneof);
            FieldDescriptor set = message.getOneofFieldDescriptor(oneof);
            if (rules.getRequired() && set != null) {
                Message without = message.toBuilder().clearField(set).build();
                add(prefix + oneof.getName(), "required", around.apply(without));
            }
        }
        for (FieldDescriptor field : message.getDescriptorForType().getFields()) {
            String path = prefix + field.getName();
            FieldRules rules = field.getOptions().getExtension(ValidateProto.field);
            if (rules.getIgnore() == Ignore.IGNORE_ALWAYS) {
                continue; // the service looks into it itself
            }
            field(message, field, path, rules, around);
            boolean inside =
                    field.getJavaType() == JavaType.MESSAGE
                            && !field.isRepeated()
                            && message.hasField(field)
                            && field.getMessageType().getFullName().startsWith("seamlab.");
            if (inside) {
                message(
                        (Message) message.getField(field),
                        path + ".",
                        part -> around.apply(message.toBuilder().setField(field, part).build()));
            }
        }
    }

    private void field(
            Message message,
            FieldDescriptor field,
            String path,
            FieldRules rules,
            UnaryOperator<Message> around) {
        UnaryOperator<Object> set =
                value -> around.apply(message.toBuilder().setField(field, value).build());
        if (rules.getRequired()) {
            add(path, "required", around.apply(message.toBuilder().clearField(field).build()));
        }
        if (field.isRepeated()) {
            if (!field.isMapField()) {
                repeated(field, path, rules.getRepeated(), set);
            }
            return;
        }
        switch (rules.getTypeCase()) {
            case STRING -> string(path, rules.getString(), set);
            case BYTES -> bytes(path, rules.getBytes(), set);
            case ENUM -> enumeration(field, path, rules.getEnum(), set);
            case DURATION -> duration(path, rules.getDuration(), set);
            case TYPE_NOT_SET -> {}
            default -> number(field, path, rules, set);
        }
    }

    private void string(String path, StringRules rules, UnaryOperator<Object> set) {
        if (rules.hasPattern()) {
            add(path, "pattern", set.apply("No/such form!"));
            add(path, "pattern, long", set.apply("x".repeat(300)));
            add(path, "pattern, line end", set.apply("trustDomains/a\n"));
        }
        if (rules.getUuid()) {
            add(path, "uuid", set.apply("no-uuid"));
        }
        if (rules.hasMaxLen()) {
            add(path, "max_len", set.apply("x".repeat((int) rules.getMaxLen() + 1)));
        }
        if (rules.hasMaxBytes()) {
            add(path, "max_bytes", set.apply("x".repeat((int) rules.getMaxBytes() + 1)));
        }
        if (rules.hasMinLen()) {
            add(path, "min_len", set.apply(""));
        }
    }

    private void bytes(String path, BytesRules rules, UnaryOperator<Object> set) {
        if (rules.hasMaxLen()) {
            byte[] tooMany = new byte[(int) rules.getMaxLen() + 1];
            add(path, "max_len", set.apply(ByteString.copyFrom(tooMany)));
        }
        if (rules.hasMinLen()) {
            add(path, "min_len", set.apply(ByteString.EMPTY));
        }
    }

    private void enumeration(
            FieldDescriptor field, String path, EnumRules rules, UnaryOperator<Object> set) {
        EnumDescriptor type = field.getEnumType();
        if (rules.getDefinedOnly()) {
            add(path, "defined_only", set.apply(type.findValueByNumberCreatingIfUnknown(999)));
        }
        for (int not : rules.getNotInList()) {
            add(path, "not_in", set.apply(type.findValueByNumberCreatingIfUnknown(not)));
        }
    }

    private void duration(String path, DurationRules rules, UnaryOperator<Object> set) {
        Duration twoSigns = Duration.newBuilder().setSeconds(1).setNanos(-1).build();
        add(path, "a real one", set.apply(twoSigns));
        Duration endless =
                Duration.newBuilder()
                        .setSeconds(Long.MIN_VALUE)
                        .setNanos(Integer.MIN_VALUE)
                        .build();
        add(path, "one that fits", set.apply(endless));
        if (rules.hasLte()) {
            add(path, "lte", set.apply(Durations.add(rules.getLte(), Durations.fromNanos(1))));
        }
        if (rules.hasGte()) {
            add(path, "gte", set.apply(Durations.subtract(rules.getGte(), Durations.fromNanos(1))));
        }
        if (rules.hasGt()) {
            add(path, "gt", set.apply(rules.getGt()));
        }
    }

    private void repeated(
            FieldDescriptor field, String path, RepeatedRules rules, UnaryOperator<Object> set) {
        Object one = element(field);
        if (rules.hasMaxItems()) {
            List<Object> tooMany = new ArrayList<>();
            for (long i = 0; i <= rules.getMaxItems(); i++) {
                tooMany.add(one);
            }
            add(path, "max_items", set.apply(tooMany));
        }
        if (rules.getUnique()) {
            add(path, "unique", set.apply(List.of(one, one)));
        }
    }

    private static Object element(FieldDescriptor field) {
        return switch (field.getJavaType()) {
            case INT -> 1;
            case LONG -> 1L;
            case STRING -> "x";
            case ENUM -> field.getEnumType().findValueByNumberCreatingIfUnknown(1);
            case MESSAGE ->
                    com.google.protobuf.DynamicMessage.getDefaultInstance(field.getMessageType());
            default -> throw new AssertionError("no element for " + field);
        };
    }

    /** Numbers: one below the least, one above the most. */
    private void number(
            FieldDescriptor field, String path, FieldRules rules, UnaryOperator<Object> set) {
        Message type = (Message) rules.getField(rules.getOneofFieldDescriptor(oneof(rules)));
        JavaType as = field.getJavaType();
        bound(type, "gte").forEach(least -> add(path, "gte", set.apply(value(as, least - 1))));
        bound(type, "gt").forEach(least -> add(path, "gt", set.apply(value(as, least))));
        bound(type, "lte").forEach(most -> add(path, "lte", set.apply(value(as, most + 1))));
        bound(type, "lt").forEach(most -> add(path, "lt", set.apply(value(as, most))));
        FieldDescriptor in = type.getDescriptorForType().findFieldByName("in");
        if (in != null && type.getRepeatedFieldCount(in) > 0) {
            add(path, "in", set.apply(value(as, 1)));
        }
    }

    private static OneofDescriptor oneof(FieldRules rules) {
        return rules.getDescriptorForType().getRealOneofs().stream()
                .filter(oneof -> oneof.getName().equals("type"))
                .findFirst()
                .orElseThrow();
    }

    private static List<Long> bound(Message rules, String name) {
        FieldDescriptor field = rules.getDescriptorForType().findFieldByName(name);
        return field != null && rules.hasField(field)
                ? List.of(((Number) rules.getField(field)).longValue())
                : List.of();
    }

    private static Object value(JavaType type, long number) {
        return switch (type) {
            case INT -> (int) number;
            case LONG -> number;
            case DOUBLE -> (double) number;
            default -> throw new AssertionError("no number: " + type);
        };
    }

    private void add(String field, String rule, Object request) {
        broken.add(new Broken(field, rule, (Message) request));
    }
}
