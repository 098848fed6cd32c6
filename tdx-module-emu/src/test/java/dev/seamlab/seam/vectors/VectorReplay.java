// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.vectors;

import com.fasterxml.jackson.databind.JsonNode;
import dev.seamlab.machine.Machine;
import dev.seamlab.machine.Registers;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntPredicate;

/**
 * Replays a scenario step by step and collects what differs from the record.
 *
 * <p>Compared: every register after every SEAMCALL; a register that the record does not name must
 * still hold its input. Not compared: the number of SYS.TDMR.INIT steps, the owner that RDMD
 * reports for a free page, memory contents unless asked for.
 */
final class VectorReplay {
    private final VectorFile file;
    private final IntPredicate knownLeaves;
    private final boolean comparesMemory;
    private final List<String> differences = new ArrayList<>();
    private Machine machine;
    private int next;

    VectorReplay(VectorFile file) {
        this(file, leaf -> true, false);
    }

    /**
     * @param knownLeaves leaf numbers to execute; others are skipped
     * @param comparesMemory whether to compare recorded memory
     */
    VectorReplay(VectorFile file, IntPredicate knownLeaves, boolean comparesMemory) {
        this.file = file;
        this.knownLeaves = knownLeaves;
        this.comparesMemory = comparesMemory;
        this.machine = VectorPlatform.machine(file.header());
    }

    /** Runs all steps. Returns a line for each that differs, the first {@code most} of them. */
    List<String> run(int most) {
        while (next < file.lines().size() && differences.size() < most) {
            step();
        }
        return differences.size() <= most ? differences : differences.subList(0, most);
    }

    /**
     * Runs the steps that other CPUs make while a guest stays inside on this one, up to the line
     * with which the guest goes on.
     */
    JsonNode runUntilContinued(int cpu) {
        while (true) {
            JsonNode line = file.lines().get(next);
            if (line.path("continue").asBoolean(false) && line.path("lp").asInt(0) == cpu) {
                next++;
                return line;
            }
            step();
        }
    }

    private void step() {
        JsonNode line = file.lines().get(next);
        next++;
        // Line numbers count from 1, and the header is the first.
        int number = next + 1;
        String difference = StepReader.read(line).run(this);
        if (difference != null) {
            differences.add(file.name() + " line " + number + ": " + difference);
        }
    }

    Machine machine() {
        return machine;
    }

    void call(int cpu, Registers regs) {
        machine.seamcall(machine.cpus().get(cpu), regs);
    }

    boolean knows(int leaf) {
        return knownLeaves.test(leaf);
    }

    boolean comparesMemory() {
        return comparesMemory;
    }

    void reset() {
        machine = VectorPlatform.machine(file.header());
    }
}
