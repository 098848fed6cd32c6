// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.machine;

import dev.seamlab.machine.sched.Cells;

/**
 * One logical CPU. Which thread may use it at a time is the business of whoever schedules threads
 * on CPUs; interrupts may be raised from any thread.
 */
public final class LogicalCpu {
    private static final int INTERRUPT = 16;
    private static final int ONLINE = 32;

    private final int index;
    private final int packageIndex;

    // Interrupts are raised by other threads: clear of the array header and of other CPUs' words.
    private final int[] words = new int[48];

    LogicalCpu(int index, int packageIndex) {
        this.index = index;
        this.packageIndex = packageIndex;
        words[ONLINE] = 1;
    }

    /** Number of this CPU, counted over all packages from 0. */
    public int index() {
        return index;
    }

    /** Package (socket) that this CPU sits in, from 0. */
    public int packageIndex() {
        return packageIndex;
    }

    /** Makes an external interrupt pending; a vCPU that runs here leaves guest mode. */
    public void raiseInterrupt() {
        Cells.release(words, INTERRUPT, 1);
    }

    /** Whether an interrupt is pending. */
    public boolean interruptPending() {
        return Cells.acquire(words, INTERRUPT) != 0;
    }

    /** Takes the pending interrupt, as the host's handler does after the exit. */
    public void acknowledgeInterrupt() {
        Cells.release(words, INTERRUPT, 0);
    }

    /** Whether the CPU is online. */
    public boolean isOnline() {
        return Cells.acquire(words, ONLINE) != 0;
    }

    /** Takes the CPU on- or offline. The rules for when that is allowed are the host's. */
    public void setOnline(boolean online) {
        Cells.release(words, ONLINE, online ? 1 : 0);
    }

    @Override
    public String toString() {
        return "cpu" + index;
    }
}
