// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.mem.PageAllocator;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.kvm.KvmStats.Counter;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Pfn;

/**
 * Host pages behind guest pages, allocated at the first fault: a guest_memfd for private memory,
 * anonymous user memory for shared.
 *
 * <p>Punching is safe against faults because its caller brackets it with an MMU invalidation: a
 * fault that looked a page up before cannot map it afterwards.
 */
final class Backing {
    private final PageAllocator allocator;
    private final PageUse use;
    private final PageTable512 pages;
    private final KvmStats stats;
    private final Counter counter;

    /** Added to every index: where the window that this object shows begins. */
    private final long offset;

    /**
     * @param counter where its pages are counted
     */
    Backing(
            PageAllocator allocator,
            PageUse use,
            PageTable512 pages,
            KvmStats stats,
            Counter counter) {
        this(allocator, use, pages, stats, counter, 0);
    }

    private Backing(
            PageAllocator allocator,
            PageUse use,
            PageTable512 pages,
            KvmStats stats,
            Counter counter,
            long offset) {
        this.allocator = allocator;
        this.use = use;
        this.pages = pages;
        this.stats = stats;
        this.counter = counter;
        this.offset = offset;
    }

    /** The same pages, counted from another one. */
    Backing window(long from) {
        return new Backing(allocator, use, pages, stats, counter, offset + from);
    }

    /** What its pages count as. */
    PageUse use() {
        return use;
    }

    /**
     * The page at an index; allocated where none is.
     *
     * @param slot the vCPU's, see {@link KvmVcpu#slot}
     * @return the page, or {@link PageAllocator#NONE} where the host has no memory left
     */
    @Pfn
    long getOrAllocate(HostCpu cpu, int slot, long index) {
        long pfn = pages.get(offset + index);
        if (pfn != PageTable512.NONE) {
            return pfn;
        }
        long fresh = allocator.allocate(cpu, use);
        if (fresh == PageAllocator.NONE) {
            return PageAllocator.NONE;
        }
        if (pages.putIfNone(offset + index, fresh)) {
            stats.count(slot, counter);
            return fresh;
        }
        allocator.free(cpu, fresh, use);
        return getOrAllocate(cpu, slot, index);
    }

    /**
     * The 512 contiguous, aligned pages of the 2 MiB unit that begins at an index, of the file and
     * not only of this window; allocated where the unit never had a page.
     *
     * @param slot the vCPU's, see {@link KvmVcpu#slot}
     * @return the first, or {@link PageAllocator#NONE} where there are no such pages: the unit has
     *     single pages, or the host has no free 2 MiB
     */
    @Pfn
    long getOrAllocateUnit(HostCpu cpu, int slot, long index) {
        long at = offset + index;
        if (pages.isUntouched(at)) {
            long size = Addresses.PAGES_PER_RANGE;
            long fresh = allocator.allocateRange(cpu.node(), size, size, use);
            if (fresh != PageAllocator.NONE) {
                if (pages.putUnitIfNone(at, fresh)) {
                    stats.add(slot, counter, size);
                    return fresh;
                }
                allocator.freeRange(fresh, size, use);
            }
        }
        long standing = pages.contiguousUnit(at);
        return standing == PageTable512.NONE ? PageAllocator.NONE : standing;
    }

    /** The page at an index, or {@link PageTable512#NONE}. */
    @Pfn
    long peek(long index) {
        return pages.get(offset + index);
    }

    /**
     * Gives the pages of a range back (fallocate PUNCH_HOLE, madvise DONTNEED); returns how many
     * there were.
     */
    long punch(long from, long to) {
        long freed = 0;
        for (long index = offset + from; index < offset + to; index++) {
            if (pages.isUntouched(index)) {
                index |= Addresses.PAGES_PER_RANGE - 1;
                continue;
            }
            long pfn = pages.take(index);
            if (pfn != PageTable512.NONE) {
                allocator.free(pfn, use);
                stats.add(0, counter, -1);
                freed++;
            }
        }
        return freed;
    }

    /**
     * Gives all pages back, of a VM that is gone, and the room for their numbers: CPUs may remember
     * its slots until another guest runs on them.
     */
    void close(long size) {
        punch(0, size);
        pages.letGo();
    }

    /** Gives a page up for ever, because the module may still own it. */
    void leak(long index) {
        long pfn = pages.take(offset + index);
        if (pfn != PageTable512.NONE) {
            allocator.retag(pfn, use, PageUse.LEAKED);
            stats.add(0, counter, -1);
        }
    }

    /** Pages that it holds, in this window and outside; looks at all of them. */
    long count() {
        long[] count = new long[1];
        pages.forEach((index, pfn) -> count[0]++);
        return count[0];
    }
}
