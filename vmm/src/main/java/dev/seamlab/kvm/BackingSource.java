// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.host.TdxHost;
import dev.seamlab.host.mem.PageAllocator;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.kvm.KvmStats.Counter;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Pfn;

/**
 * Where the memory of one VM comes from and where it is counted.
 *
 * @param frames first page frame that the host does not have
 * @param stats the VM's
 */
record BackingSource(PageAllocator allocator, @Pfn long frames, KvmStats stats) {
    static BackingSource of(TdxHost host, KvmStats stats) {
        long frames = Addresses.pfn(host.machine().profile().memoryEnd());
        return new BackingSource(host.pages(), frames, stats);
    }

    /** For a guest_memfd, or for none with no pages. */
    Backing gmem(long pages) {
        return backing(PageUse.GUEST_PRIVATE, pages, Counter.GMEM_PAGES);
    }

    /** For what host and guest share. */
    Backing shared(long pages) {
        return backing(PageUse.GUEST_SHARED, pages, Counter.SHARED_PAGES);
    }

    /** A host page per guest page, as yet none. */
    PageTable512 mappings(long pages) {
        return new PageTable512(pages, frames);
    }

    private Backing backing(PageUse use, long pages, Counter counter) {
        return new Backing(allocator, use, mappings(pages), stats, counter);
    }
}
