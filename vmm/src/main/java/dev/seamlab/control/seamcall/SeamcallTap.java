// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.seamcall;

import dev.seamlab.machine.LogicalCpu;
import dev.seamlab.machine.Machine;
import dev.seamlab.machine.Registers;
import dev.seamlab.machine.Seam;
import dev.seamlab.machine.sched.Waits;
import java.util.ArrayList;
import java.util.List;

/**
 * Where the SEAMCALLs of one machine can be watched. It sits between CPU and module only while
 * somebody watches; otherwise there is nothing there that could cost.
 */
final class SeamcallTap {
    private static final SeamcallRing[] NOBODY = {};

    private final Machine machine;
    private volatile SeamcallRing[] watching = NOBODY; // written under this
    private volatile boolean ended;

    SeamcallTap(Machine machine) {
        this.machine = machine;
    }

    /** Fills a ring from now on. */
    synchronized void add(SeamcallRing ring) {
        List<SeamcallRing> more = new ArrayList<>(List.of(watching));
        more.add(ring);
        watching = more.toArray(NOBODY);
        if (more.size() == 1) {
            machine.observe(Observer::new);
        }
    }

    /** Fills a ring no more. */
    synchronized void remove(SeamcallRing ring) {
        List<SeamcallRing> fewer = new ArrayList<>(List.of(watching));
        fewer.remove(ring);
        watching = fewer.toArray(NOBODY);
        if (fewer.isEmpty()) {
            machine.observe(null);
        }
    }

    /** Tells watchers that the machine is off. */
    void end() {
        ended = true;
    }

    /** Whether the machine is off. */
    boolean ended() {
        return ended;
    }

    /** Between CPU and module. */
    private final class Observer implements Seam {
        private final Seam module;

        // Registers on the way in, by CPU: one call at a time runs on each.
        private final Registers[] inputs;

        Observer(Seam module) {
            this.module = module;
            this.inputs = new Registers[machine.cpus().size()];
            for (int i = 0; i < inputs.length; i++) {
                inputs[i] = new Registers();
            }
        }

        @Override
        public long call(LogicalCpu cpu, Registers regs) {
            Registers in = inputs[cpu.index()];
            in.copyFrom(regs);
            long began = Waits.nanoTime();
            long status = module.call(cpu, regs);
            long ended = Waits.nanoTime();
            for (SeamcallRing ring : watching) {
                ring.offer(cpu.index(), in, regs, began, ended);
            }
            return status;
        }
    }
}
