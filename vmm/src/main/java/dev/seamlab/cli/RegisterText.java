// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import com.google.protobuf.Descriptors.FieldDescriptor;
import dev.seamlab.v1.Registers;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/** Registers as people write and read them: {@code rdx=0x1000}. */
final class RegisterText {
    private RegisterText() {}

    /**
     * @throws CommandFailure naming the register and what is wrong with it
     */
    static Registers parse(List<String> assignments) {
        Registers.Builder registers = Registers.newBuilder();
        for (String assignment : assignments) {
            int equals = assignment.indexOf('=');
            if (equals < 0) {
                throw bad(assignment, "must be REGISTER=VALUE, for example rdx=0x1000");
            }
            String name = assignment.substring(0, equals).strip().toLowerCase(Locale.ROOT);
            FieldDescriptor register = Registers.getDescriptor().findFieldByName(name);
            if (register == null) {
                throw bad(
                        name,
                        "is no register; there are "
                                + Registers.getDescriptor().getFields().stream()
                                        .map(FieldDescriptor::getName)
                                        .collect(Collectors.joining(", ")));
            }
            try {
                registers.setField(register, Hex.parse(assignment.substring(equals + 1)));
            } catch (NumberFormatException e) {
                throw bad(name, "must be 64 bits, as 0x... or decimal");
            }
        }
        return registers.build();
    }

    private static CommandFailure bad(String what, String why) {
        return new CommandFailure(ExitCodes.BAD_INPUT, what + ": " + why);
    }

    /** All registers but RAX that are not 0, in one line. */
    static String show(Registers registers) {
        return Registers.getDescriptor().getFields().stream()
                .filter(register -> register.getNumber() != Registers.RAX_FIELD_NUMBER)
                .filter(register -> (long) registers.getField(register) != 0)
                .map(register ->
                        register.getName()
                                + "=0x"
                                + Long.toHexString((long) registers.getField(register)))
                .collect(Collectors.joining(" "));
    }
}
