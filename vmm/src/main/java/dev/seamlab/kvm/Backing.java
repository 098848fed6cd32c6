// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.mem.PageAllocator;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Pfn;
import dev.seamlab.machine.PhysicalMemory;
import java.util.List;
import java.util.concurrent.atomic.LongAdder;

/**
 * Host pages behind guest pages, allocated at the first fault: a guest_memfd for private memory,
 * anonymous user memory for shared.
 *
 * <p>Punching is safe against faults because its caller brackets it with an MMU invalidation: a
 * fault that looked a page up before cannot map it afterwards.
 */
final class Backing {
    /** Has no pages and gives none: for slots without private memory. */
    static final Backing NOTHING =
            new Backing(
                    new PageAllocator(new PhysicalMemory(), List.of()),
                    PageUse.GUEST_PRIVATE,
                    new PageTable512(0),
                    new LongAdder(),
                    0);

    private final PageAllocator allocator;
    private final PageUse use;
    private final PageTable512 pages;
    private final LongAdder allocated;

    /** Added to every index: where the window that this object shows begins. */
    private final long offset;

    Backing(PageAllocator allocator, PageUse use, long pages) {
        this(allocator, use, new PageTable512(pages), new LongAdder(), 0);
    }

    private Backing(
            PageAllocator allocator,
            PageUse use,
            PageTable512 pages,
            LongAdder allocated,
            long offset) {
        this.allocator = allocator;
        this.use = use;
        this.pages = pages;
        this.allocated = allocated;
        this.offset = offset;
    }

    /** The same pages, counted from another one. */
    Backing window(long from) {
        return new Backing(allocator, use, pages, allocated, offset + from);
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
        long pfn = pages.get(offset + index);
        if (pfn != PageTable512.NONE) {
            return pfn;
        }
        long fresh = allocator.allocate(cpu, use);
        if (fresh == PageAllocator.NONE) {
            return PageAllocator.NONE;
        }
        if (pages.putIfNone(offset + index, fresh)) {
            allocated.increment();
            return fresh;
        }
        allocator.free(cpu, fresh, use);
        return getOrAllocate(cpu, index);
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
                allocated.decrement();
                freed++;
            }
        }
        return freed;
    }

    /** Gives a page up for ever, because the module may still own it. */
    void leak(long index) {
        long pfn = pages.take(offset + index);
        if (pfn != PageTable512.NONE) {
            allocator.retag(pfn, use, PageUse.LEAKED);
            allocated.decrement();
        }
    }

    /** Pages allocated, in this window and outside. */
    long allocated() {
        return allocated.sum();
    }
}
