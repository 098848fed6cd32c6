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
    private static final SeamcallSink[] NOBODY = {};

    private final Machine machine;
    private volatile SeamcallSink[] watching = NOBODY; // written under this
    private volatile boolean ended;

    SeamcallTap(Machine machine) {
        this.machine = machine;
    }

    /** Tells a sink from now on. */
    synchronized void add(SeamcallSink sink) {
        List<SeamcallSink> more = new ArrayList<>(List.of(watching));
        more.add(sink);
        watching = more.toArray(NOBODY);
        if (more.size() == 1) {
            machine.observe(Observer::new);
        }
    }

    /** Tells a sink no more. */
    synchronized void remove(SeamcallSink sink) {
        List<SeamcallSink> fewer = new ArrayList<>(List.of(watching));
        fewer.remove(sink);
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
            for (SeamcallSink sink : watching) {
                sink.offer(cpu.index(), in, regs, began, ended);
            }
            return status;
        }
    }
}
