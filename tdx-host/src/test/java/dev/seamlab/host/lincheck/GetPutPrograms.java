// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.lincheck;

import dev.seamlab.host.Hosts;
import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.cpu.HostCpus;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.mem.PageAllocator;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.host.pamt.AlwaysLockBacking;
import dev.seamlab.host.pamt.DecAndLockBacking;
import dev.seamlab.host.pamt.GlobalLockBacking;
import dev.seamlab.host.pamt.PageReset;
import dev.seamlab.host.pamt.PairPages;
import dev.seamlab.host.pamt.PairSource;
import dev.seamlab.host.pamt.PamtBacking;
import dev.seamlab.host.pamt.RangeRefcounts;
import dev.seamlab.host.tdh.PhymemLeaves;
import dev.seamlab.host.tdh.Tdh;
import dev.seamlab.machine.LogicalCpu;
import dev.seamlab.machine.Machine;
import dev.seamlab.machine.Registers;
import dev.seamlab.machine.sched.Cells;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.StatusCode;
import java.util.List;
import org.jetbrains.lincheck.datastructures.Operation;
import org.jetbrains.lincheck.datastructures.Param;
import org.jetbrains.lincheck.datastructures.ThreadIdGen;
import org.jetbrains.lincheck.datastructures.Validate;

/** One range and a few users of it, each with a CPU of its own. */
@Param(name = "thread", gen = ThreadIdGen.class)
public abstract class GetPutPrograms {
    private final Pair pair = new Pair();
    private final RangeRefcounts counts = CounterPrograms.sparse();
    private final List<HostCpu> cpus;
    private final PamtBacking backing;
    private final PairSource pairs;
    private final int[] held = new int[LinearizabilityTest.MOST_THREADS];

    /** How a variant is made of its parts. */
    interface Variant {
        PamtBacking of(RangeRefcounts counts, PhymemLeaves module, PairPages pages);
    }

    GetPutPrograms(Variant variant) {
        Machine machine = new Machine(Hosts.twoPackages());
        machine.load(pair::call);
        cpus = new HostCpus(machine).all();
        PageAllocator pages = CounterPrograms.allocator();
        // The first look at a GiB's pages is a long walk, and Lincheck takes long loops for
        // endless.
        pages.free(pages.allocateAtomic(0, PageUse.PAMT_PAIR), PageUse.PAMT_PAIR);
        pairs =
                taken -> {
                    taken[0] = pages.allocateAtomic(0, PageUse.PAMT_PAIR);
                    taken[1] = pages.allocateAtomic(0, PageUse.PAMT_PAIR);
                    return true;
                };
        backing =
                variant.of(
                        counts,
                        new Tdh(machine).phymem(),
                        new PairPages(pages, new PageReset(machine.memory(), false), s -> {}));
    }

    /** Answers whether the page is backed from now on (I3). */
    @Operation
    public boolean get(@Param(name = "thread") int thread) {
        int result = backing.get(cpus.get(thread), 0, pairs);
        held[thread]++;
        return result == Errno.OK && pair.isThere();
    }

    @Operation
    public void put(@Param(name = "thread") int thread) {
        if (held[thread] > 0) {
            held[thread]--;
            backing.put(cpus.get(thread), 0);
        }
    }

    /** I1, I2: where nobody is inside, the pair is there if and only if the count is not zero. */
    @Validate
    public void countAndPairAreOne() {
        if (counts.read(0) > 0 != pair.isThere()) {
            throw new IllegalStateException("count " + counts.read(0) + ", pair " + pair.isThere());
        }
    }

    /** A range's pair as the module has it: there, or not. */
    private static final class Pair {
        private static final long NO_PAIR = StatusCode.NO_PAMT_PAGE_PAIR.with(Operand.RCX);
        private static final long NOT_FREE = StatusCode.HPA_RANGE_NOT_FREE.with(Operand.RCX);

        private final int[] words = new int[1];
        private final long[] pages = new long[2];

        long call(LogicalCpu cpu, Registers regs) {
            boolean add = ((int) regs.rax() & 0xFFFF) == Leaf.PHYMEM_PAMT_ADD.number();
            long status = add ? add(regs) : remove(regs);
            regs.rax(status);
            return status;
        }

        private long add(Registers regs) {
            if (!Cells.cas(words, 0, 0, 1)) {
                return NOT_FREE;
            }
            Cells.release(pages, 0, regs.rdx());
            Cells.release(pages, 1, regs.r8());
            return Status.SUCCESS;
        }

        private long remove(Registers regs) {
            regs.rdx(Cells.acquire(pages, 0)).r8(Cells.acquire(pages, 1));
            return Cells.cas(words, 0, 1, 0) ? Status.SUCCESS : NO_PAIR;
        }

        boolean isThere() {
            return Cells.acquire(words, 0) != 0;
        }
    }

    /** Version 6. */
    public static class DecAndLock extends GetPutPrograms {
        public DecAndLock() {
            super(DecAndLockBacking::new);
        }
    }

    /** Version 4, patch 4. */
    public static class AlwaysLock extends GetPutPrograms {
        public AlwaysLock() {
            super(AlwaysLockBacking::new);
        }
    }

    /** As merged. */
    public static class GlobalLock extends GetPutPrograms {
        public GlobalLock() {
            super(GlobalLockBacking::new);
        }
    }

    /** What the operations mean. */
    public static class OnPaper {
        public boolean get(int thread) {
            return true;
        }

        public void put(int thread) {
            // Answers nothing.
        }
    }
}
