// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.seamcall;

import dev.seamlab.machine.Registers;

/** Told of every SEAMCALL of a machine, on the CPU's own thread: must not block. */
interface SeamcallSink {
    /**
     * A call is over.
     *
     * @param in registers on the way in; valid until this returns
     * @param out registers on the way out; valid until this returns
     * @param began when, in nanoseconds on the clock of the scheduling seam
     * @param ended when, on the same clock
     */
    void offer(int cpu, Registers in, Registers out, long began, long ended);
}
