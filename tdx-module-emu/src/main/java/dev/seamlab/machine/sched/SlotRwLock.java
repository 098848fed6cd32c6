// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.machine.sched;

import java.time.Duration;

/**
 * A reader/writer lock whose readers do not share a cache line: each reader of its own slot stores
 * and clears one word there, about 2 ns uncontended on any number of threads, where a JDK read lock
 * costs 55 ns on two (facts: performance sheet section 6). Writers look through all slots.
 *
 * <p>A slot belongs to one thread at a time (a vCPU while it runs). Threads without a slot of their
 * own share {@link #SHARED_SLOT}, which they update by read-modify-write. Readers are not
 * reentrant. Writers have preference: once one has announced itself, new readers wait.
 *
 * <p>No reader starves, as under the kernel's queued rwlocks, though there is no queue. A reader
 * that has waited for {@link #PATIENCE}, or that saw a writer go and was overtaken by the next one,
 * says so, and no further writer comes before it has been in; without this, writers that do little
 * else may keep a reader out for ever. It costs those who wait, and writers a look at a word beside
 * their own; a reader that finds no writer knows nothing of it.
 *
 * <p>Why no reader slips past a writer: the reader writes its slot and then reads the writer word;
 * the writer writes its word and then reads the slots; all four are volatile accesses, so at least
 * one of the two sees the other.
 */
public final class SlotRwLock {
    /** The slot for threads that own none. */
    public static final int SHARED_SLOT = 0;

    /** How long a reader lets writers come before it; as a {@link Lock} does. */
    private static final Duration PATIENCE = Duration.ofNanos(20_000);

    private static final int STRIDE = 16;
    private static final int WRITER = STRIDE;

    /** Readers whose turn it is; beside WRITER, so that a writer's look at it is free. */
    private static final int OVERDUE = STRIDE + 1;

    private final LockRank rank;
    private final int slots;
    private final int[] words;
    private final WaitTimes readWaits = new WaitTimes();
    private final WaitTimes writeWaits = new WaitTimes();

    /**
     * @param rank place in the lock order
     * @param ownedSlots how many slots of their own threads may have, numbered from 1
     */
    public SlotRwLock(LockRank rank, int ownedSlots) {
        this.rank = rank;
        this.slots = ownedSlots + 1;
        this.words = new int[(slots + 3) * STRIDE];
    }

    /** Takes the lock for reading. */
    public void readLock(int slot) {
        assert LockRank.Held.push(rank);
        if (!tryReadOnce(slot)) {
            awaitWriter(slot);
        }
    }

    private void awaitWriter(int slot) {
        long start = Installed.WIRING.nanoTime();
        boolean isGone = Installed.WIRING.await(this::hasNoWriter, PATIENCE.toNanos());
        if (!isGone || !tryReadOnce(slot)) {
            readNext(slot);
        }
        long waited = Installed.WIRING.nanoTime() - start;
        readWaits.waited(waited);
        LockWaits.waited(rank, LockWaits.Mode.SHARED, waited);
    }

    /** Overdue: whoever writes, or is about to, comes first, and nobody else. */
    private void readNext(int slot) {
        Cells.getAndAdd(words, OVERDUE, 1);
        do {
            Installed.WIRING.await(this::hasNoWriter);
        } while (!tryReadOnce(slot));
        Cells.getAndAdd(words, OVERDUE, -1);
        Installed.WIRING.signal();
    }

    private boolean hasNoWriter() {
        return Cells.acquire(words, WRITER) == 0;
    }

    private boolean isNobodyOverdue() {
        return Cells.acquire(words, OVERDUE) == 0;
    }

    /** Lets go of the read lock taken with the same slot. */
    public void readUnlock(int slot) {
        assert LockRank.Held.pop(rank);
        leave(slot);
        if (Cells.acquire(words, WRITER) != 0) {
            Installed.WIRING.signal();
        }
    }

    /** Takes the lock for writing; waits for readers and other writers. */
    public void writeLock() {
        assert LockRank.Held.push(rank);
        boolean waiting = false;
        long start = 0;
        while (!isNobodyOverdue() || !Cells.cas(words, WRITER, 0, 1)) {
            if (!waiting) {
                waiting = true;
                start = Installed.WIRING.nanoTime();
            }
            Installed.WIRING.await(() -> isNobodyOverdue() && hasNoWriter());
        }
        for (int slot = 0; slot < slots; slot++) {
            int at = at(slot);
            if (Cells.volatileRead(words, at) != 0) {
                start = waiting ? start : Installed.WIRING.nanoTime();
                waiting = true;
                Installed.WIRING.await(() -> Cells.volatileRead(words, at) == 0);
            }
        }
        if (waiting) {
            long waited = Installed.WIRING.nanoTime() - start;
            writeWaits.waited(waited);
            LockWaits.waited(rank, LockWaits.Mode.EXCLUSIVE, waited);
        }
    }

    /** How long readers waited for writers; for any thread. */
    public WaitTimes.Snapshot readWaits() {
        return readWaits.snapshot();
    }

    /** How long writers waited for readers and other writers; for any thread. */
    public WaitTimes.Snapshot writeWaits() {
        return writeWaits.snapshot();
    }

    /** Lets go of the write lock. */
    public void writeUnlock() {
        assert LockRank.Held.pop(rank);
        Cells.volatileWrite(words, WRITER, 0);
        Installed.WIRING.signal();
    }

    private boolean tryReadOnce(int slot) {
        if (slot == SHARED_SLOT) {
            Cells.getAndAdd(words, at(slot), 1);
        } else {
            Cells.volatileWrite(words, at(slot), 1);
        }
        if (Cells.volatileRead(words, WRITER) == 0) {
            return true;
        }
        leave(slot);
        return false;
    }

    private void leave(int slot) {
        if (slot == SHARED_SLOT) {
            Cells.getAndAdd(words, at(slot), -1);
        } else {
            Cells.release(words, at(slot), 0);
        }
    }

    private static int at(int slot) {
        return (slot + 2) * STRIDE;
    }
}
