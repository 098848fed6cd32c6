// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.cpu;

import dev.seamlab.machine.LogicalCpu;
import dev.seamlab.machine.Pfn;
import dev.seamlab.machine.Registers;
import dev.seamlab.machine.sched.Cells;
import dev.seamlab.machine.sched.Waits;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.Consumer;

/**
 * A logical CPU as the host's kernel sees it. Only the thread that claimed it from {@link HostCpus}
 * may use {@link #regs}, {@link #pair} or issue SEAMCALLs on it; {@link #wanted} and {@link
 * #logical} are for everybody.
 *
 * <p>Claims queue up first come, first served: a claim draws a ticket and waits until it is served.
 */
public final class HostCpu {
    private static final int NEXT_TICKET = 16;
    private static final int NOW_SERVING = 32;
    private static final int SINCE = 16;

    private final LogicalCpu logical;
    private final int index;
    private final int node;
    private final Registers regs = new Registers();
    private final @Pfn long[] pair = new long[2];
    private final int[] tickets = new int[48];
    private final long[] times = new long[24];
    private final Queue<RemoteCall> calls = new ConcurrentLinkedQueue<>();

    HostCpu(LogicalCpu logical, int node) {
        this.logical = logical;
        this.index = logical.index();
        this.node = node;
    }

    /** Number of this CPU, counted over all packages from 0. */
    public int index() {
        return index;
    }

    /** Package that this CPU sits in. */
    public int packageIndex() {
        return logical.packageIndex();
    }

    /** NUMA node from which threads on this CPU allocate first. */
    public int node() {
        return node;
    }

    /** The hardware; its interrupts may be raised by any thread. */
    public LogicalCpu logical() {
        return logical;
    }

    /** Registers for the next SEAMCALL, and the results of the last one. */
    public Registers regs() {
        return regs;
    }

    /** Scratch space for a pair of pages, so that get and put allocate no Java object. */
    public @Pfn long[] pair() {
        return pair;
    }

    /**
     * Whether another thread waits for this CPU. A holder that runs a guest polls this between
     * entries, after it has acknowledged the CPU's interrupt, and releases the CPU once it has made
     * some progress.
     */
    public boolean wanted() {
        return Cells.acquire(tickets, NEXT_TICKET) - Cells.acquire(tickets, NOW_SERVING) > 1;
    }

    /** Threads that hold this CPU or wait for it. */
    int queueLength() {
        return Cells.acquire(tickets, NEXT_TICKET) - Cells.acquire(tickets, NOW_SERVING);
    }

    /** Takes the CPU if nobody holds it or waits for it. */
    boolean tryEnter() {
        int serving = Cells.acquire(tickets, NOW_SERVING);
        return Cells.acquire(tickets, NEXT_TICKET) == serving
                && Cells.cas(tickets, NEXT_TICKET, serving, serving + 1);
    }

    /**
     * Does something in the place of whoever would claim this CPU, if nobody holds it or waits for
     * it: look after what belongs to the claimant alone.
     *
     * @param action must not sleep, claim a CPU or issue SEAMCALLs
     * @return whether it was done
     */
    public boolean ifIdle(Runnable action) {
        if (!tryEnter()) {
            return false;
        }
        try {
            action.run();
        } finally {
            leave();
        }
        return true;
    }

    int drawTicket() {
        return Cells.getAndAdd(tickets, NEXT_TICKET, 1);
    }

    boolean isServed(int ticket) {
        return Cells.acquire(tickets, NOW_SERVING) == ticket;
    }

    boolean isNextInLine(int ticket) {
        return ticket - Cells.acquire(tickets, NOW_SERVING) == 1;
    }

    /** The thread that has just been served begins its time on the CPU. */
    void begin() {
        logical.acknowledgeInterrupt();
        Cells.release(times, SINCE, Waits.nanoTime());
    }

    /** Wants something done on this CPU by whoever holds it next or now. */
    RemoteCall post(Consumer<HostCpu> body) {
        RemoteCall call = new RemoteCall(body);
        calls.add(call);
        return call;
    }

    /**
     * Does what others want done here, as the handler of an inter-processor interrupt does. Only
     * for the holder, at a point where {@link #regs} hold nothing that it still needs.
     */
    public void serveCalls() {
        for (RemoteCall call = calls.poll(); call != null; call = calls.poll()) {
            call.run(this);
        }
    }

    /** How long the holder has had the CPU. */
    long heldNanos() {
        return Waits.nanoTime() - Cells.acquire(times, SINCE);
    }

    /** Serves the next ticket. */
    void leave() {
        Cells.release(tickets, NOW_SERVING, Cells.acquire(tickets, NOW_SERVING) + 1);
        Waits.changed();
    }

    @Override
    public String toString() {
        return logical.toString();
    }
}
