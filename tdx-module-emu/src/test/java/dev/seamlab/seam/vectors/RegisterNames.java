// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.vectors;

import com.fasterxml.jackson.databind.JsonNode;
import dev.seamlab.machine.Registers;
import java.util.List;
import java.util.Locale;

/** Registers as vector files name them, in the CPU's order. */
final class RegisterNames {
    private static final List<String> NAMES =
            List.of(
                    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10",
                    "r11", "r12", "r13", "r14", "r15");

    private RegisterNames() {}

    static String name(int register) {
        return NAMES.get(register);
    }

    static int index(String name) {
        int index = NAMES.indexOf(name.toLowerCase(Locale.ROOT));
        if (index < 0) {
            throw new IllegalArgumentException("no register " + name);
        }
        return index;
    }

    /** A register file from an object; what it does not name is zero. */
    static Registers read(JsonNode object) {
        Registers regs = new Registers();
        object.properties()
                .forEach(field -> regs.set(index(field.getKey()), Hex.number(field.getValue())));
        return regs;
    }
}
