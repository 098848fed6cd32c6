// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.Status;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLongArray;

/**
 * Counters of one VM. Each vCPU counts in words of its own, which no other thread writes; whoever
 * reads adds them up. Slot 0 is for threads without a vCPU and is updated atomically. Counting
 * costs a load and a store and is no step that other threads rely on.
 */
public final class KvmStats {
    /** What is counted. */
    public enum Counter {
        /** EPT violations on private addresses that were served. */
        PRIVATE_FAULTS,
        /** EPT violations on shared addresses that were served. */
        SHARED_FAULTS,
        /** Attempts that ended in RETRY and were repeated in place. */
        FAULT_RETRIES,
        /** BUSY answers of SEPT.ADD, PAGE.ADD and PAGE.AUG. */
        BUSY_ANSWERS,
        /** BUSY answers of BLOCK, TRACK and REMOVE: retried with no vCPU in the guest. */
        ZAP_BUSY,
        /** vCPUs that had to be interrupted out of the guest. */
        KICKS,
        /** Private leaves removed. */
        ZAPS,
        /** Private leaves in the mirror; rises and falls. */
        PRIVATE_PAGES,
        /** Secure EPT pages below the root; rises and falls. */
        SEPT_PAGES,
        /** Pages allocated for private use, mapped or not; rises and falls. */
        GMEM_PAGES,
        /** Pages allocated for shared use; rises and falls. */
        SHARED_PAGES,
        /** 4K pages made shared. */
        TO_SHARED,
        /** 4K pages made private. */
        TO_PRIVATE,
        /** Pages given up because the module may still own them. */
        LEAKED_PAGES,
        /** Times VP.ENTER came back with a TD exit. */
        TD_EXITS,
        /** TD exits because of an external interrupt. */
        INTERRUPT_EXITS,
        /** TD exits because of TDG.VP.VMCALL. */
        TDVMCALLS,
        /** VP.ENTER answered BUSY. */
        ENTER_BUSY,
        /** Private leaves of 2M in the mirror; rises and falls. */
        LARGE_LEAVES,
        /** 2M leaves split by DEMOTE. */
        DEMOTES,
        /** 2M leaves made by PROMOTE. */
        PROMOTES,
        /** Table pages that got their backing when a cache was topped up. */
        TABLES_PREPARED,
        /** Of those, put back unused when their vCPU was freed. */
        TABLES_UNUSED,
        /** Leaves that got their backing before the MMU lock and were not mapped then. */
        LEAVES_UNUSED,
        /** Pages that a vCPU's pool still held when the vCPU was freed. */
        POOL_UNUSED,
        /** vCPUs that went on on another CPU, after a flush on the old one. */
        MIGRATIONS,
        /** Largest number of pages seen in a vCPU's pool; a maximum, not a sum. */
        POOL_HIGH_WATER,
        /** Most table pages that waited with backing for one vCPU; a maximum, not a sum. */
        READY_HIGH_WATER
    }

    /** Operands that BUSY can name, by {@link dev.seamlab.seam.abi.Operand#id}. */
    private static final int OPERANDS = 256;

    private static final Set<Counter> MAXIMA =
            EnumSet.of(Counter.POOL_HIGH_WATER, Counter.READY_HIGH_WATER);

    private static final VarHandle WORDS = MethodHandles.arrayElementVarHandle(long[].class);
    private static final Counter[] COUNTERS = Counter.values();
    private static final int STRIDE = 32;

    private final int slots;
    private final long[] words;

    /** BUSY answers by operand; only refusals write here. */
    private final AtomicLongArray busy = new AtomicLongArray(OPERANDS);

    /**
     * @param vcpus vCPUs that get words of their own, as slots 1 to {@code vcpus}
     */
    KvmStats(int vcpus) {
        this.slots = vcpus + 1;
        this.words = new long[(slots + 1) * STRIDE];
        assert COUNTERS.length <= STRIDE : "counters do not fit their stride";
    }

    /** Adds one. */
    void count(int slot, Counter counter) {
        add(slot, counter, 1);
    }

    /** Adds a number, which may be negative. */
    void add(int slot, Counter counter, long delta) {
        int at = at(slot, counter);
        if (slot == 0) {
            WORDS.getAndAdd(words, at, delta);
        } else {
            WORDS.setOpaque(words, at, (long) WORDS.getOpaque(words, at) + delta);
        }
    }

    /** Counts an answer of BUSY, and the operand that it names. */
    void busy(int slot, Counter counter, long status) {
        count(slot, counter);
        busy.getAndIncrement((int) Status.detail(status) & (OPERANDS - 1));
    }

    /** BUSY answers by the operand that was busy; only operands that were. */
    public Map<Operand, Long> busyByOperand() {
        Map<Operand, Long> result = new EnumMap<>(Operand.class);
        for (Operand operand : Operand.values()) {
            long count = busy.get(operand.id());
            if (count != 0) {
                result.put(operand, count);
            }
        }
        return result;
    }

    /** Raises a maximum. */
    void max(int slot, Counter counter, long value) {
        int at = at(slot, counter);
        if ((long) WORDS.getOpaque(words, at) < value) {
            WORDS.setOpaque(words, at, value);
        }
    }

    /** Current value over all slots. */
    public long get(Counter counter) {
        long result = 0;
        for (int slot = 0; slot < slots; slot++) {
            long value = (long) WORDS.getOpaque(words, at(slot, counter));
            result = MAXIMA.contains(counter) ? Math.max(result, value) : result + value;
        }
        return result;
    }

    /** Current value of one slot. */
    long get(int slot, Counter counter) {
        return (long) WORDS.getOpaque(words, at(slot, counter));
    }

    private static int at(int slot, Counter counter) {
        // The first stride holds the array's length, which every bounds check reads.
        return (slot + 1) * STRIDE + counter.ordinal();
    }
}
