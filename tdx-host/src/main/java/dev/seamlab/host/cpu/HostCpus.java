// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.cpu;

import dev.seamlab.machine.LogicalCpu;
import dev.seamlab.machine.Machine;
import dev.seamlab.machine.sched.Cells;
import dev.seamlab.machine.sched.LockRank;
import dev.seamlab.machine.sched.Waits;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Gives threads logical CPUs. A thread holds at most one, never sleeps while it holds it, and never
 * claims one while it holds a spinning lock; the rank CPU checks all three with assertions.
 *
 * <p>Nobody starves: each CPU serves its queue in order, and the first in the queue interrupts a
 * holder that has had its {@link #SLICE_NANOS time slice}, so that a guest that never exits by
 * itself leaves too. The slice is what lets a guest make progress when there are more vCPUs than
 * CPUs: were it interrupted at once, two vCPUs could push each other off before either had executed
 * an instruction.
 */
public final class HostCpus {
    /** How long a holder may keep a CPU that another thread waits for. */
    public static final long SLICE_NANOS = 250_000;

    private static final Duration SLICE = Duration.ofNanos(SLICE_NANOS);
    private static final int ROTOR = 16;

    private final List<HostCpu> cpus;
    private final int packages;
    // Where the next search for any CPU begins; only a hint.
    private final int[] rotor = new int[32];

    public HostCpus(Machine machine) {
        int nodes = machine.profile().nodes().size();
        this.packages = machine.profile().packages();
        List<HostCpu> list = new ArrayList<>();
        for (LogicalCpu cpu : machine.cpus()) {
            list.add(new HostCpu(cpu, cpu.packageIndex() * nodes / packages));
        }
        this.cpus = List.copyOf(list);
    }

    /** All CPUs by index, online or not. Looking at them needs no claim. */
    public List<HostCpu> all() {
        return cpus;
    }

    /** Number of packages. */
    public int packages() {
        return packages;
    }

    /** Whether a package has an online CPU; KeyID steps must run on every package. */
    public boolean isPackageOnline(int packageIndex) {
        for (HostCpu cpu : cpus) {
            if (cpu.packageIndex() == packageIndex && cpu.logical().isOnline()) {
                return true;
            }
        }
        return false;
    }

    /** Takes a CPU; waits for its turn. */
    public HostCpu claim(int index) {
        HostCpu cpu = claimIfOnline(index);
        if (cpu == null) {
            throw new IllegalStateException(cpus.get(index) + " is offline");
        }
        return cpu;
    }

    /**
     * Takes a CPU that is offline, to bring it online: whoever finds it online afterwards waits
     * until it is released. The caller holds CPU hotplug off.
     */
    public HostCpu claimOffline(int index) {
        HostCpu cpu = cpus.get(index);
        assert LockRank.Held.maySleep();
        enter(cpu);
        return began(cpu);
    }

    /** Takes a CPU if nobody holds it or waits for it. */
    public @Nullable HostCpu tryClaim(int index) {
        HostCpu cpu = cpus.get(index);
        return cpu.logical().isOnline() && cpu.tryEnter() ? beganIfOnline(cpu) : null;
    }

    /** Takes any online CPU: a free one, or else the one with the shortest queue. */
    public HostCpu claimAny() {
        return claimAmong(-1);
    }

    /** Takes any online CPU of a package. */
    public HostCpu claimOnPackage(int packageIndex) {
        return claimAmong(packageIndex);
    }

    /**
     * Where a thread that was on a CPU before had better go on: there if the CPU is free, else on a
     * free one, else in the shortest queue, and there rather than elsewhere where that is no
     * shorter. Only a hint: others may be quicker.
     *
     * @param before index of the CPU, or -1
     * @return index of an online CPU
     */
    public int choose(int before) {
        HostCpu best = null;
        if (before >= 0 && cpus.get(before).logical().isOnline()) {
            best = cpus.get(before);
        }
        int start = best == null || best.queueLength() > 0 ? Cells.getAndAdd(rotor, ROTOR, 1) : 0;
        for (int i = 0; i < cpus.size() && (best == null || best.queueLength() > 0); i++) {
            HostCpu cpu = cpus.get(Math.floorMod(start + i, cpus.size()));
            if (cpu.logical().isOnline()
                    && (best == null || cpu.queueLength() < best.queueLength())) {
                best = cpu;
            }
        }
        if (best == null) {
            throw new IllegalStateException("no CPU is online");
        }
        return best.index();
    }

    /** Takes a CPU once it is this thread's turn; null where it has gone offline meanwhile. */
    public @Nullable HostCpu claimIfOnline(int index) {
        HostCpu cpu = cpus.get(index);
        assert LockRank.Held.maySleep();
        enter(cpu);
        return beganIfOnline(cpu);
    }

    /**
     * Does something on a CPU, whoever holds it: the holder does it when the interrupt reaches it,
     * or when it takes or leaves the CPU; on a free CPU the caller does it. Returns when it is
     * done. The caller holds no CPU, so two of them cannot wait for each other.
     *
     * @param body SEAMCALLs only; it may run inside another thread's claim. On a CPU that has gone
     *     offline it still runs, if only just: whoever takes a CPU offline has done beforehand what
     *     only that CPU can do
     */
    public void runOn(int index, Consumer<HostCpu> body) {
        HostCpu cpu = cpus.get(index);
        assert LockRank.Held.maySleep();
        RemoteCall call = cpu.post(body);
        BooleanSupplier doneOrFree = () -> call.isDone() || cpu.queueLength() == 0;
        while (!call.isDone()) {
            if (cpu.tryEnter()) {
                release(began(cpu));
            } else {
                cpu.logical().raiseInterrupt();
                Waits.until(doneOrFree, SLICE);
            }
        }
    }

    /** Gives a CPU back. */
    public void release(HostCpu cpu) {
        cpu.serveCalls();
        assert LockRank.Held.pop(LockRank.CPU);
        cpu.leave();
    }

    private HostCpu claimAmong(int packageIndex) {
        assert LockRank.Held.maySleep();
        while (true) {
            HostCpu cpu = claimFreeOrShortest(packageIndex);
            if (cpu != null) {
                return cpu;
            }
        }
    }

    /** Null where the CPU that it waited for has gone offline meanwhile. */
    private @Nullable HostCpu claimFreeOrShortest(int packageIndex) {
        int start = Cells.getAndAdd(rotor, ROTOR, 1);
        HostCpu shortest = null;
        for (int i = 0; i < cpus.size(); i++) {
            HostCpu cpu = cpus.get(Math.floorMod(start + i, cpus.size()));
            if (!cpu.logical().isOnline()
                    || (packageIndex >= 0 && cpu.packageIndex() != packageIndex)) {
                continue;
            }
            if (cpu.tryEnter()) {
                return beganIfOnline(cpu);
            }
            if (shortest == null || cpu.queueLength() < shortest.queueLength()) {
                shortest = cpu;
            }
        }
        if (shortest == null) {
            throw new IllegalStateException(
                    packageIndex < 0
                            ? "no CPU is online"
                            : "package " + packageIndex + " has no online CPU");
        }
        enter(shortest);
        return beganIfOnline(shortest);
    }

    private static void enter(HostCpu cpu) {
        int ticket = cpu.drawTicket();
        if (cpu.isServed(ticket)) {
            return;
        }
        BooleanSupplier served = () -> cpu.isServed(ticket);
        while (!served.getAsBoolean()) {
            long left = SLICE_NANOS - cpu.heldNanos();
            if (left > 0) {
                if (Waits.until(served, Duration.ofNanos(left))) {
                    return;
                }
                continue;
            }
            // Again after each slice: the holder may have acknowledged the last one and gone on.
            if (cpu.isNextInLine(ticket)) {
                cpu.logical().raiseInterrupt();
            }
            if (Waits.until(served, SLICE)) {
                return;
            }
        }
    }

    private static HostCpu began(HostCpu cpu) {
        assert LockRank.Held.push(LockRank.CPU);
        cpu.begin();
        cpu.serveCalls();
        return cpu;
    }

    /** It may have gone offline after it was chosen; whoever takes it offline holds it. */
    private static @Nullable HostCpu beganIfOnline(HostCpu cpu) {
        if (cpu.logical().isOnline()) {
            return began(cpu);
        }
        cpu.leave();
        return null;
    }
}
