// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.vectors;

import com.fasterxml.jackson.databind.JsonNode;
import dev.seamlab.machine.GuestCode;
import dev.seamlab.machine.GuestMode;
import dev.seamlab.machine.GuestMode.Outcome;
import dev.seamlab.machine.Registers;
import dev.seamlab.seam.guest.GuestCpu;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;

/**
 * What a recorded guest did between VM entry and TD exit, as guest code: one action a step, then an
 * external interrupt. An action {@code stay} runs the lines that follow in the scenario, from
 * inside the guest, until one continues with this vCPU's CPU; the guest then goes on with the
 * actions of that line.
 */
final class GuestScript implements GuestCode {
    private static final int EXTERNAL_INTERRUPT = 1;
    private static final long INTERRUPT_INFO = 0x8000_00F0L;

    /** A TDCALL shows RAX to R11 in the record. */
    private static final int LAST_RECORDED = Registers.R11;

    private final VectorReplay replay;
    private final int cpu;
    private final List<String> differences = new ArrayList<>();
    private JsonNode line;
    private Iterator<JsonNode> actions;

    GuestScript(VectorReplay replay, int cpu, JsonNode line) {
        this.replay = replay;
        this.cpu = cpu;
        this.line = line;
        this.actions = line.get("guest").iterator();
    }

    /** The line whose registers the host sees in the end. */
    JsonNode lastLine() {
        return line;
    }

    /** What the guest saw otherwise than recorded. */
    List<String> differences() {
        return differences;
    }

    @Override
    public void step(GuestMode guest) {
        if (!actions.hasNext()) {
            guest.vmExit(EXTERNAL_INTERRUPT, 0, 0, INTERRUPT_INFO);
            return;
        }
        JsonNode action = actions.next();
        if (action.has("stay")) {
            line = replay.runUntilContinued(cpu);
            actions = line.get("guest").iterator();
        } else if (action.has("tdcall")) {
            tdcall(guest, action);
        } else {
            vmExit(guest, action);
        }
    }

    private void tdcall(GuestMode guest, JsonNode action) {
        Registers in = RegisterNames.read(action.get("in"));
        long version = action.path("version").asLong(0);
        in.rax(
                action.has("in_rax")
                        ? Hex.number(action.get("in_rax"))
                        : action.get("leaf_no").asLong() | version << 16);
        guest.gprs().copyFrom(in);
        Outcome outcome = guest.tdcall();
        checkOutcome(guest, action, outcome);
        if (outcome != Outcome.DONE || !action.has("out")) {
            return;
        }
        Registers expected = new Registers();
        expected.copyFrom(in);
        action.get("out")
                .properties()
                .forEach(field ->
                        expected.set(
                                RegisterNames.index(field.getKey()), Hex.number(field.getValue())));
        for (int register = 0; register <= LAST_RECORDED; register++) {
            long found = guest.gprs().get(register);
            if (found != expected.get(register)) {
                differences.add(
                        String.format(
                                "%s %s %s: recorded 0x%x, found 0x%x",
                                action.get("tdcall").asText(),
                                action.get("in"),
                                RegisterNames.name(register),
                                expected.get(register),
                                found));
            }
        }
    }

    private void vmExit(GuestMode guest, JsonNode action) {
        JsonNode exit = action.get("vm_exit");
        Outcome outcome =
                guest.vmExit(
                        (int) Hex.number(exit.get("reason")),
                        Hex.number(exit.get("qualification")),
                        Hex.number(exit.get("gpa")),
                        Hex.number(exit.get("interruption_info")));
        checkOutcome(guest, action, outcome);
    }

    private void checkOutcome(GuestMode guest, JsonNode action, Outcome outcome) {
        boolean exitRecorded = action.has("result");
        if (exitRecorded != (outcome == Outcome.EXITED)) {
            differences.add("recorded " + action + ", found " + outcome);
        }
        long recorded = action.has("injected") ? Hex.number(action.get("injected")) : 0;
        long injected = ((GuestCpu) guest).injected();
        if (recorded != injected) {
            differences.add(String.format("recorded %s, found injection 0x%x", action, injected));
        }
    }
}
