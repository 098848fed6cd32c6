// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.vectors;

import com.fasterxml.jackson.databind.JsonNode;
import dev.seamlab.machine.Registers;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.PageType;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.StatusCode;
import org.jspecify.annotations.Nullable;

/** One SEAMCALL, or SYS.TDMR.INIT repeated until a register reaches a value. */
final class SeamcallStep implements VectorStep {
    private static final int MOST_REPEATS = 10_000_000;

    private final JsonNode line;
    private final Registers in;
    private final int leaf;

    SeamcallStep(JsonNode line) {
        this.line = line;
        this.leaf = line.get("leaf_no").asInt();
        this.in = operands(line);
    }

    /** Registers before the call. */
    static Registers operands(JsonNode line) {
        long version = line.path("version").asLong(0);
        long rax = line.get("leaf_no").asLong() | (version & 0xFF) << 16;
        return RegisterNames.read(line.get("in"))
                .rax(line.has("in_rax") ? Hex.number(line.get("in_rax")) : rax);
    }

    @Override
    public @Nullable String run(VectorReplay replay) {
        if (!replay.knows(leaf)) {
            return null;
        }
        int cpu = line.path("lp").asInt(0);
        Registers regs = new Registers();
        regs.copyFrom(in);
        replay.call(cpu, regs);
        JsonNode until = line.get("repeat_until");
        if (until != null) {
            long rdx = Hex.number(until.get("rdx"));
            for (int i = 0; i < MOST_REPEATS && regs.rdx() < rdx && regs.rax() == 0; i++) {
                regs.copyFrom(in);
                replay.call(cpu, regs);
            }
        }
        return compare(line, in, regs);
    }

    /** What a register file holds otherwise than recorded, or null. */
    static @Nullable String compare(JsonNode line, Registers in, Registers found) {
        int leaf = line.get("leaf_no").asInt();
        Registers expected = new Registers();
        expected.copyFrom(in);
        line.get("out")
                .properties()
                .forEach(field ->
                        expected.set(
                                RegisterNames.index(field.getKey()), Hex.number(field.getValue())));
        if (isUnmodelled(line, expected.rax())) {
            expected.copyFrom(in);
            expected.rax(StatusCode.OPERAND_INVALID.with(Operand.RAX));
        }
        StringBuilder differences = new StringBuilder();
        for (int register = 0; register < Registers.COUNT; register++) {
            if (found.get(register) != expected.get(register)
                    && !isArtefact(leaf, register, expected)) {
                differences.append(
                        String.format(
                                " %s: recorded 0x%x, found 0x%x",
                                RegisterNames.name(register),
                                expected.get(register),
                                found.get(register)));
            }
        }
        if (differences.isEmpty()) {
            return null;
        }
        return line.get("leaf").asText()
                + " "
                + line.path("in")
                + ": recorded "
                + Status.show(expected.rax())
                + ", found "
                + Status.show(found.rax())
                + ";"
                + differences;
    }

    /**
     * Migration and service-TD leaves, which the record calls by number with zero operands: a
     * module without them answers as for reserved numbers.
     */
    private static boolean isUnmodelled(JsonNode line, long recorded) {
        int leaf = line.get("leaf_no").asInt();
        boolean named = !line.get("leaf").asText().equals("UNKNOWN");
        return !named && leaf >= 47 && !StatusCode.SYS_NOT_READY.matches(recorded);
    }

    /** RDMD of a free page shows the page's last owner, which an emulator need not know. */
    private static boolean isArtefact(int leaf, int register, Registers expected) {
        boolean rdmd = leaf == Leaf.PHYMEM_PAGE_RDMD.number() && expected.rax() == 0;
        return rdmd && register == Registers.RDX && expected.rcx() == PageType.NDA.code();
    }
}
