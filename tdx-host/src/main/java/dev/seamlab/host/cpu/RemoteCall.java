// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.cpu;

import dev.seamlab.machine.sched.Cells;
import dev.seamlab.machine.sched.Waits;
import java.util.function.Consumer;

/** Something that one thread wants done on a CPU which another may hold (smp_call_function). */
final class RemoteCall {
    private static final int DONE = 16;

    private final Consumer<HostCpu> body;
    private final int[] words = new int[32];

    RemoteCall(Consumer<HostCpu> body) {
        this.body = body;
    }

    /** Runs on the thread that holds the CPU. */
    void run(HostCpu cpu) {
        body.accept(cpu);
        Cells.release(words, DONE, 1);
        Waits.changed();
    }

    /** Whether it has run; what it wrote is visible then. */
    boolean isDone() {
        return Cells.acquire(words, DONE) != 0;
    }
}
