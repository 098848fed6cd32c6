// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.vectors;

import com.fasterxml.jackson.databind.JsonNode;
import dev.seamlab.machine.GuestContext;
import dev.seamlab.machine.Registers;
import dev.seamlab.machine.SharedEpt;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** VP.ENTER with what the guest does until it leaves. */
final class VpEnterStep implements VectorStep {
    private static final long TDVPR = 0x000F_FFFF_FFFF_F000L;

    private final JsonNode line;

    VpEnterStep(JsonNode line) {
        this.line = line;
    }

    @Override
    public @Nullable String run(VectorReplay replay) {
        int cpu = line.path("lp").asInt(0);
        Registers in = SeamcallStep.operands(line);
        long tdvpr = in.rcx() & TDVPR;
        GuestScript script = new GuestScript(replay, cpu, line);
        replay.machine()
                .bindGuest(tdvpr, new GuestContext(script, (gpa, access) -> SharedEpt.NOT_MAPPED));
        Registers regs = new Registers();
        regs.copyFrom(in);
        replay.call(cpu, regs);
        List<String> differences = new ArrayList<>(script.differences());
        // A line that continues has no operands; its registers are complete.
        JsonNode last = script.lastLine();
        Registers before = last.path("continue").asBoolean(false) ? new Registers() : in;
        String atHost = SeamcallStep.compare(last, before, regs);
        if (atHost != null) {
            differences.add(atHost);
        }
        return differences.isEmpty() ? null : String.join("; ", differences);
    }
}
