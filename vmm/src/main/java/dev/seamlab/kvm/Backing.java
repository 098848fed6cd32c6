// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.mem.PageAllocator;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Pfn;
import java.util.concurrent.atomic.LongAdder;

/**
 * Host pages behind the guest pages of one memslot, allocated at the first fault: a guest_memfd for
 * private memory, anonymous user memory for shared.
 *
 * <p>Punching is safe against faults because its caller brackets it with an MMU invalidation: a
 * fault that looked a page up before cannot map it afterwards.
 */
final class Backing {
    private final PageAllocator allocator;
    private final PageUse use;
    private final PageTable512 pages;
    private final LongAdder allocated = new LongAdder();

    Backing(PageAllocator allocator, PageUse use, long pages) {
        this.allocator = allocator;
        this.use = use;
        this.pages = new PageTable512(pages);
    }

    /** What its pages count as. */
    PageUse use() {
        return use;
    }

    /**
     * The page at an index; allocated where none is.
     *
     * @return the page, or {@link PageAllocator#NONE} where the host has no memory left
     */
    @Pfn
    long getOrAllocate(HostCpu cpu, long index) {
        long pfn = pages.get(index);
        if (pfn != PageTable512.NONE) {
            return pfn;
        }
        long fresh = allocator.allocate(cpu, use);
        if (fresh == PageAllocator.NONE) {
            return PageAllocator.NONE;
        }
        if (pages.putIfNone(index, fresh)) {
            allocated.increment();
            return fresh;
        }
        allocator.free(cpu, fresh, use);
        return getOrAllocate(cpu, index);
    }

    /** The page at an index, or {@link PageTable512#NONE}. */
    @Pfn
    long peek(long index) {
        return pages.get(index);
    }

    /** Gives the pages of a range back (fallocate PUNCH_HOLE, madvise DONTNEED). */
    void punch(long from, long to) {
        for (long index = from; index < to; index++) {
            if (pages.isUntouched(index)) {
                index |= Addresses.PAGES_PER_RANGE - 1;
                continue;
            }
            long pfn = pages.take(index);
            if (pfn != PageTable512.NONE) {
                allocator.free(pfn, use);
                allocated.decrement();
            }
        }
    }

    /** Drops a page without freeing it, because the module may still own it. */
    void leak(long index) {
        if (pages.take(index) != PageTable512.NONE) {
            allocated.decrement();
        }
    }

    /** Pages allocated. */
    long allocated() {
        return allocated.sum();
    }

    /** Shows every page by index. */
    void forEach(PageTable512.Visitor visitor) {
        pages.forEach(visitor);
    }
}
