// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.seamcall;

import dev.seamlab.machine.LogicalCpu;
import dev.seamlab.machine.Machine;
import dev.seamlab.machine.Registers;
import dev.seamlab.machine.Seam;
import dev.seamlab.machine.sched.Waits;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Where the SEAMCALLs of one machine can be watched and measured. It sits between CPU and module
 * only while somebody does; otherwise there is nothing there that could cost.
 */
final class SeamcallTap {
    private static final SeamcallSink[] NOBODY = {};

    private final Machine machine;
    private volatile SeamcallSink[] watching = NOBODY; // written under this
    private volatile @Nullable LeafTimes times; // written under this
    private boolean placed; // guarded by this
    private volatile boolean ended;

    SeamcallTap(Machine machine) {
        this.machine = machine;
    }

    /** Tells a sink of each call that begins from now on. */
    synchronized void add(SeamcallSink sink) {
        List<SeamcallSink> more = new ArrayList<>(List.of(watching));
        more.add(sink);
        watching = more.toArray(NOBODY);
        place();
    }

    /** Tells a sink no more. */
    synchronized void remove(SeamcallSink sink) {
        List<SeamcallSink> fewer = new ArrayList<>(List.of(watching));
        fewer.remove(sink);
        watching = fewer.toArray(NOBODY);
        place();
    }

    /** Measures each call that begins from now on. */
    synchronized void measure(LeafTimes measured) {
        times = measured;
        place();
    }

    /** Whether anything stands between CPU and module. */
    synchronized boolean isPlaced() {
        return placed;
    }

    private void place() {
        boolean wanted = times != null || watching.length > 0;
        if (wanted != placed) {
            machine.observe(wanted ? Observer::new : null);
            placed = wanted;
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
            SeamcallSink[] sinks = watching;
            LeafTimes measured = times;
            Registers in = inputs[cpu.index()];
            long rax = regs.rax();
            if (sinks.length > 0) {
                in.copyFrom(regs);
            }
            long began = Waits.nanoTime();
            long status = module.call(cpu, regs);
            long ended = Waits.nanoTime();
            if (measured != null) {
                measured.took(cpu.index(), rax, ended - began);
            }
            for (SeamcallSink sink : sinks) {
                sink.offer(cpu.index(), in, regs, began, ended);
            }
            return status;
        }
    }
}
