// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.contract;

import com.google.api.ResourceProto;
import com.google.protobuf.ByteString;
import com.google.protobuf.Descriptors.EnumDescriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Message;
import java.util.List;
import java.util.Random;
import java.util.UUID;

/**
 * Messages that are well formed and make no sense, with a bias to what gets far: names of resources
 * that exist, page-aligned addresses, programs that can be read.
 */
final class RandomMessages {
    private static final int DEPTH = 5;

    private static final List<String> TEXTS =
            List.of(
                    "",
                    "x",
                    "idle",
                    "spin 1",
                    "halt",
                    "loop 3 { spin 10 }",
                    "accept 0x1000000..0x1010000 4k; halt",
                    "touch 0x0..0x3000",
                    "touch 0x0..0x3000 shared",
                    "share 0xB00000..0xB02000",
                    "boot-lazy",
                    "crash",
                    "state=RUNNING",
                    "type=AUDIT AND subject=x",
                    "cause=SEPT AND refcount<16",
                    "AND AND",
                    "refcount>99999999999999999999",
                    "TDH.MEM.PAGE.AUG",
                    "TDH.SYS.INFO",
                    "OPERAND_BUSY|TDR",
                    "0xC000010000000041",
                    "pamt-pair",
                    "put-get",
                    "get; put",
                    "v6",
                    "minimal",
                    "0.5",
                    "\u0000\uD83D\uDE80\n\"\\",
                    "YQ",
                    "TGlzdFZtcwp4Cg",
                    "display_name",
                    "labels",
                    "../../etc/passwd",
                    "%s%n",
                    "x".repeat(400));

    private static final long[] NUMBERS = {
        0,
        0,
        1,
        2,
        3,
        7,
        8,
        16,
        48,
        52,
        63,
        64,
        255,
        256,
        1000,
        1001,
        4095,
        4096,
        8192,
        65536,
        0x10_0000,
        0x20_0000,
        0x40_0000,
        0xA0_0000,
        0xB0_0000,
        16L << 20,
        64L << 20,
        1L << 30,
        1L << 32,
        (1L << 40) + 4096,
        1L << 47,
        1L << 51,
        1L << 52,
        Integer.MAX_VALUE,
        Integer.MIN_VALUE,
        Long.MAX_VALUE,
        Long.MAX_VALUE & -4096,
        Long.MIN_VALUE,
        -1,
        -4096
    };

    private final Random random;
    private final List<String> names;

    /**
     * @param names of resources that are there, or were
     */
    RandomMessages(Random random, List<String> names) {
        this.random = random;
        this.names = names;
    }

    /** Any message of a type. */
    Message any(Message prototype) {
        Message.Builder message = prototype.newBuilderForType();
        fill(message, DEPTH);
        return message.build();
    }

    private void fill(Message.Builder message, int depth) {
        for (FieldDescriptor field : message.getDescriptorForType().getFields()) {
            boolean wanted = isName(field) ? chance(95) : chance(55);
            if (!wanted || depth == 0) {
                continue;
            }
            if (!field.isRepeated()) {
                message.setField(field, value(message, field, depth));
                continue;
            }
            for (int i = random.nextInt(4); i > 0; i--) {
                message.addRepeatedField(field, value(message, field, depth));
            }
        }
    }

    private Object value(Message.Builder message, FieldDescriptor field, int depth) {
        return switch (field.getJavaType()) {
            case BOOLEAN -> random.nextBoolean();
            case INT -> (int) number(field);
            case LONG -> number(field);
            case FLOAT -> random.nextFloat();
            case DOUBLE -> random.nextInt(4) - 1 + random.nextDouble();
            case STRING -> string(field);
            case BYTE_STRING -> bytes();
            case ENUM -> enumeration(field.getEnumType());
            case MESSAGE -> {
                Message.Builder inside = message.newBuilderForField(field);
                fill(inside, depth - 1);
                yield inside.build();
            }
        };
    }

    private static boolean isName(FieldDescriptor field) {
        return field.getName().equals("name")
                || field.getName().equals("parent")
                || field.getOptions().hasExtension(ResourceProto.resourceReference);
    }

    private String string(FieldDescriptor field) {
        if (isName(field) && chance(90)) {
            return names.get(random.nextInt(names.size()));
        }
        if (field.getName().equals("request_id") && chance(80)) {
            return new UUID(0, random.nextInt(50)).toString();
        }
        if (field.getName().endsWith("_id") && chance(80)) {
            return chance(50) ? "" : "random-" + random.nextInt(30);
        }
        return TEXTS.get(random.nextInt(TEXTS.size()));
    }

    private long number(FieldDescriptor field) {
        boolean count = field.getName().matches(".*(count|vcpu|cpu|size)");
        if (count && chance(70)) {
            return random.nextInt(4);
        }
        return chance(90) ? NUMBERS[random.nextInt(NUMBERS.length)] : random.nextLong();
    }

    private ByteString bytes() {
        byte[] bytes = new byte[chance(80) ? 8 * random.nextInt(8) : random.nextInt(10_000)];
        random.nextBytes(bytes);
        return ByteString.copyFrom(bytes);
    }

    private Object enumeration(EnumDescriptor type) {
        return chance(90)
                ? type.getValues().get(random.nextInt(type.getValues().size()))
                : type.findValueByNumberCreatingIfUnknown(random.nextInt(100) - 10);
    }

    private boolean chance(int percent) {
        return random.nextInt(100) < percent;
    }
}
