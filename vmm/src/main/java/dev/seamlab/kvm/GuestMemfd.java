// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.mem.PageAllocator;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.machine.Addresses;
import java.util.ArrayList;
import java.util.List;

/**
 * A guest_memfd: pages for private memory, apart from the memslots that are bound to parts of it.
 * Pages come with the first fault or by fallocate, and stay, whatever becomes of slots and
 * attributes, until they are punched or the file is closed.
 *
 * <p>Belongs to one VM. Bindings change under the VM's SLOTS lock.
 */
public final class GuestMemfd {
    /** fallocate: the size stays; the only way in which a guest_memfd can be changed. */
    public static final int KEEP_SIZE = 1;

    /** fallocate: give pages back. */
    public static final int PUNCH_HOLE = 2;

    private final KvmTdx vm;
    private final long pages;
    private final Backing backing;
    private final List<Memslot> bound = new ArrayList<>();

    GuestMemfd(KvmTdx vm, PageAllocator allocator, long pages) {
        this.vm = vm;
        this.pages = pages;
        this.backing = new Backing(allocator, PageUse.GUEST_PRIVATE, pages);
    }

    /** Size in bytes. */
    public long size() {
        return pages << Addresses.PAGE_SHIFT;
    }

    /** Pages that it holds. */
    public long allocatedPages() {
        return backing.allocated();
    }

    /**
     * Allocates pages of a range, or gives them back after taking every mapping of them away.
     *
     * @param mode {@link #KEEP_SIZE}, with {@link #PUNCH_HOLE} or without
     * @return OK; EOPNOTSUPP, EINVAL for bad arguments; ENOMEM; EIO where a page had to be leaked
     */
    public int fallocate(int mode, long offset, long length) {
        if ((mode & KEEP_SIZE) == 0 || (mode & ~(KEEP_SIZE | PUNCH_HOLE)) != 0) {
            return Errno.EOPNOTSUPP;
        }
        if (!Addresses.isAligned(offset | length, Addresses.PAGE_SIZE)
                || offset < 0
                || length <= 0
                || offset + length < 0) {
            return Errno.EINVAL;
        }
        long first = offset >>> Addresses.PAGE_SHIFT;
        long last = (offset + length) >>> Addresses.PAGE_SHIFT;
        if ((mode & PUNCH_HOLE) != 0) {
            return vm.memory().punch(this, first, Math.min(last, pages));
        }
        return last > pages ? Errno.EINVAL : vm.memory().allocate(this, first, last);
    }

    Backing backing() {
        return backing;
    }

    KvmTdx vm() {
        return vm;
    }

    long pages() {
        return pages;
    }

    /** Slots that show parts of this file. SLOTS is held. */
    List<Memslot> bound() {
        return bound;
    }

    /** Whether no slot shows any page of a range. SLOTS is held. */
    boolean isUnbound(long first, long last) {
        return bound.stream().noneMatch(slot -> first < slot.gmemEnd() && slot.gmemBase() < last);
    }
}
