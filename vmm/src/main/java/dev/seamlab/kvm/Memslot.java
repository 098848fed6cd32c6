// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Gfn;
import dev.seamlab.machine.sched.Cells;
import org.jspecify.annotations.Nullable;

/**
 * A stretch of guest memory with its private and shared backing and its attributes. The private
 * backing is a window into a guest_memfd; a slot may be without.
 */
final class Memslot {
    private static final int INVALID = 16;

    private final int id;
    private final int flags;
    private final @Gfn long base;
    private final long pages;
    private final long userAddress;
    private final Attributes attributes;
    private final @Nullable GuestMemfd memfd;
    private final long gmemBase;
    private final Backing gmem;
    private final Backing shared;
    private final int[] words = new int[32];

    /** Host page per guest page that the shared EPT maps. */
    private final PageTable512 sharedMappings;

    private Memslot(UserMemoryRegion region, BackingSource source, @Nullable Backing sharedBefore) {
        this.id = region.slot();
        this.flags = region.flags();
        this.base = Addresses.gfn(region.gpa());
        this.pages = region.size() >>> Addresses.PAGE_SHIFT;
        this.userAddress = region.userAddress();
        this.attributes = new Attributes(pages);
        this.memfd = region.gmem();
        this.gmemBase = region.gmemOffset() >>> Addresses.PAGE_SHIFT;
        this.gmem = memfd == null ? source.gmem(0) : memfd.backing().window(gmemBase);
        this.shared = sharedBefore != null ? sharedBefore : source.shared(pages);
        this.sharedMappings = source.mappings(pages);
    }

    /** A slot as user space wants it. */
    Memslot(UserMemoryRegion region, BackingSource source) {
        this(region, source, null);
    }

    /** The same user memory at another guest address; nothing is mapped there. */
    Memslot movedTo(UserMemoryRegion region, BackingSource source) {
        return new Memslot(region, source, shared);
    }

    int id() {
        return id;
    }

    int flags() {
        return flags;
    }

    long userAddress() {
        return userAddress;
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

    /**
     * Whether a fault may map a page: the attribute is as the guest touched it, and private memory
     * has a guest_memfd to come from.
     */
    boolean admits(@Gfn long gfn, boolean isPrivate) {
        return attributes.isPrivate(index(gfn)) == isPrivate && (!isPrivate || memfd != null);
    }

    /**
     * Whether the slot admits private faults on all of the 2 MiB range of a page, as far as one
     * look tells.
     */
    boolean isUniformlyPrivate(@Gfn long gfn) {
        long first = gfn & -Addresses.PAGES_PER_RANGE;
        return memfd != null
                && base % Addresses.PAGES_PER_RANGE == 0
                && first + Addresses.PAGES_PER_RANGE <= end()
                && attributes.isUniformlyPrivate(first - base);
    }

    /** The file that private pages come from, or null. */
    @Nullable GuestMemfd memfd() {
        return memfd;
    }

    /** First page of the file that this slot shows. */
    long gmemBase() {
        return gmemBase;
    }

    /** Whether 2 MiB units of guest, slot and file are the same pages. */
    boolean hasUnits() {
        return (base | gmemBase) % Addresses.PAGES_PER_RANGE == 0;
    }

    /** First page of the file after those. */
    long gmemEnd() {
        return gmemBase + pages;
    }

    /** Private pages, by index in this slot; none at all without {@link #memfd}. */
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

    /**
     * The slot is being deleted or moved (KVM_MEMSLOT_INVALID): nothing new is mapped through it.
     */
    void invalidate() {
        Cells.volatileWrite(words, INVALID, 1);
    }

    boolean isInvalid() {
        return Cells.acquire(words, INVALID) != 0;
    }
}
