// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.host.TdxHost;
import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.mem.PageAllocator;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.host.pamt.FaultPool;
import dev.seamlab.host.pamt.PairSource;
import dev.seamlab.machine.Pfn;

/**
 * A vCPU's cache of Secure EPT pages that have their backing already, filled as the kernel's memory
 * caches are: nothing while the minimum is there, else up to the capacity, and less than that will
 * do where memory is short. So up to 40 pages wait, each of which may pin a pair of its own: the
 * "up to 40 unused cached pairs per vCPU" of the v5 estimate.
 */
final class BackedTables {
    /** What one attempt may need. */
    static final int MINIMUM = FaultPool.ROOT_MAX_LEVEL;

    /** Objects of one kernel memory cache (KVM_ARCH_NR_OBJS_PER_MEMORY_CACHE). */
    static final int CAPACITY = 40;

    private final TdxHost host;
    private final PairSource pairs;
    private final @Pfn long[] stack = new long[CAPACITY];
    private int count;

    /**
     * @param node where pairs come from first
     */
    BackedTables(TdxHost host, int node) {
        this.host = host;
        this.pairs = host.sleepingPairs(node);
    }

    /** Fills it; may sleep. OK, or why there is less than the minimum: ENOMEM or EIO. */
    int topUp(HostCpu cpu) {
        if (count >= MINIMUM) {
            return Errno.OK;
        }
        int result = Errno.OK;
        while (result == Errno.OK && count < CAPACITY) {
            result = addOne(cpu);
        }
        return count >= MINIMUM ? Errno.OK : result;
    }

    private int addOne(HostCpu cpu) {
        long page = host.pages().allocate(cpu, PageUse.SEPT_READY);
        if (page == PageAllocator.NONE) {
            return Errno.ENOMEM;
        }
        int result = host.backing().get(cpu, page, pairs);
        if (result == Errno.OK) {
            stack[count++] = page;
        } else {
            host.pages().free(cpu, page, PageUse.SEPT_READY);
        }
        return result;
    }

    /** Takes a page, which counts as SEPT from here on, or answers NONE. */
    @Pfn
    long take() {
        if (count == 0) {
            return PageAllocator.NONE;
        }
        long page = stack[--count];
        host.pages().retag(page, PageUse.SEPT_READY, PageUse.SEPT);
        return page;
    }

    /** Pages that wait. */
    int held() {
        return count;
    }

    /** Gives all pages back, their backing first. */
    void drain(HostCpu cpu) {
        while (count > 0) {
            long page = stack[--count];
            host.backing().put(cpu, page);
            host.pages().free(page, PageUse.SEPT_READY);
        }
    }
}
