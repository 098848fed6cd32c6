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
    private Machine machine;

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
        List<String> differences = new ArrayList<>();
        int number = 1;
        for (JsonNode line : file.lines()) {
            number++;
            String difference = StepReader.read(line).run(this);
            if (difference != null) {
                differences.add(file.name() + " line " + number + ": " + difference);
                if (differences.size() == most) {
                    break;
                }
            }
        }
        return differences;
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
