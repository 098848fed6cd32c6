// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.host.mem.PageAllocator;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.kvm.KvmStats.Counter;
import dev.seamlab.machine.Gfn;
import dev.seamlab.machine.Pfn;

/** A stretch of guest memory with its private and shared backing and its attributes. */
final class Memslot {
    private final @Gfn long base;
    private final long pages;
    private final Attributes attributes;
    private final Backing gmem;
    private final Backing shared;

    /** Host page per guest page that the shared EPT maps. */
    private final PageTable512 sharedMappings;

    /**
     * @param frames first page frame that the host does not have
     */
    Memslot(PageAllocator allocator, KvmStats stats, @Gfn long base, long pages, @Pfn long frames) {
        this.base = base;
        this.pages = pages;
        this.attributes = new Attributes(pages);
        this.gmem =
                new Backing(
                        allocator, PageUse.GUEST_PRIVATE, pages, frames, stats, Counter.GMEM_PAGES);
        this.shared =
                new Backing(
                        allocator,
                        PageUse.GUEST_SHARED,
                        pages,
                        frames,
                        stats,
                        Counter.SHARED_PAGES);
        this.sharedMappings = new PageTable512(pages, frames);
    }

    @Gfn
    long base() {
        return base;
    }

    @Gfn
    long end() {
        return base + pages;
    }

    boolean contains(@Gfn long gfn) {
        return gfn >= base && gfn < end();
    }

    long index(@Gfn long gfn) {
        return gfn - base;
    }

    Attributes attributes() {
        return attributes;
    }

    /** Private pages. */
    Backing gmem() {
        return gmem;
    }

    /** Shared pages. */
    Backing shared() {
        return shared;
    }

    PageTable512 sharedMappings() {
        return sharedMappings;
    }
}
