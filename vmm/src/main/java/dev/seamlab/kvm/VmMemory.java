// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.mem.PageAllocator;
import dev.seamlab.kvm.KvmStats.Counter;
import dev.seamlab.kvm.VmLife.Stage;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Gfn;
import dev.seamlab.machine.Gpa;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What user space may do to the memory of a VM: memslots, attributes, guest_memfds. Everything here
 * holds SLOTS, and whatever makes mappings wrong goes with an {@link Unmapping}.
 */
final class VmMemory {
    /** KVM_MEM_SLOTS_NUM, user slots. */
    private static final int MAX_SLOTS = 32764;

    /** Slot of {@link KvmStats} for threads without a vCPU. */
    static final int NO_VCPU = 0;

    static final long MAX_PAGES = (1L << 31) - 1;

    /** KVM_MEMORY_ATTRIBUTE_PRIVATE. */
    static final long ATTRIBUTE_PRIVATE = 1L << 3;

    private final KvmTdx vm;
    private final BackingSource source;
    private final Memslots slots;

    // Guarded by SLOTS, all of them.
    private final PrivateRanges attributes = new PrivateRanges();
    private final List<GuestMemfd> memfds = new ArrayList<>();
    private final SlotRanges ranges = new SlotRanges();
    private final Unmapping unmapping;

    VmMemory(KvmTdx vm, BackingSource source, Memslots slots) {
        this.vm = vm;
        this.source = source;
        this.slots = slots;
        this.unmapping = new Unmapping(vm);
    }

    // ------------------------------------------------------------------ guest_memfd

    /** KVM_CREATE_GUEST_MEMFD; null for arguments that are EINVAL. */
    @Nullable GuestMemfd createMemfd(long size, long flags) {
        // A file larger than any slot can be is refused here; the kernel takes it.
        if (flags != 0
                || size <= 0
                || size >>> Addresses.PAGE_SHIFT > MAX_PAGES
                || !Addresses.isAligned(size, Addresses.PAGE_SIZE)) {
            return null;
        }
        return vm.underSlots(() -> {
            GuestMemfd memfd = new GuestMemfd(vm, source, size >>> Addresses.PAGE_SHIFT);
            memfds.add(memfd);
            return memfd;
        });
    }

    /** Punches a hole into a file; every slot that shows a part of it loses its mappings there. */
    int punch(GuestMemfd memfd, long first, long last) {
        return vm.underSlots(() -> {
            ranges.none();
            for (Memslot slot : memfd.bound()) {
                long from = Math.max(first, slot.gmemBase());
                long to = Math.min(last, slot.gmemEnd());
                long shift = slot.base() - slot.gmemBase();
                ranges.add(slot, from + shift, to + shift);
            }
            int result = unmapping.begin(ranges, true);
            if (result == Errno.ENOMEM) {
                return result;
            }
            try {
                memfd.backing().punch(first, Math.max(first, last));
                return result;
            } finally {
                unmapping.end();
            }
        });
    }

    /** Forgets a file that no slot shows any more. */
    void close(GuestMemfd memfd) {
        int result =
                vm.underSlots(() -> {
                    if (!memfd.bound().isEmpty()) {
                        return Errno.EBUSY;
                    }
                    memfd.backing().punch(0, memfd.pages());
                    memfds.remove(memfd);
                    return Errno.OK;
                });
        if (result != Errno.OK) {
            throw new IllegalStateException("a slot still shows the file");
        }
    }

    /** Allocates what a range of a file lacks. */
    int allocate(GuestMemfd memfd, long first, long last) {
        return vm.underSlots(() -> {
            HostCpu cpu = vm.claimAny();
            try {
                for (long index = first; index < last; index++) {
                    if (memfd.backing().getOrAllocate(cpu, NO_VCPU, index) == PageAllocator.NONE) {
                        return Errno.ENOMEM;
                    }
                }
                return Errno.OK;
            } finally {
                vm.release(cpu);
            }
        });
    }

    /** Closes all files and unmaps all user memory, of a VM whose mappings are gone. */
    void freeAll() {
        for (GuestMemfd memfd : memfds) {
            memfd.backing().close(memfd.pages());
        }
        for (Memslot slot : slots.all()) {
            slot.shared().close(slot.end() - slot.base());
        }
    }

    // ------------------------------------------------------------------ memslots

    /** A slot with a guest_memfd of its own, under the next free number. */
    int addMemslot(@Gpa long gpa, long size) {
        if (!Addresses.isAligned(gpa | size, Addresses.PAGE_SIZE) || size <= 0 || gpa < 0) {
            return Errno.EINVAL;
        }
        GuestMemfd memfd = createMemfd(size, 0);
        if (memfd == null) {
            return Errno.EINVAL;
        }
        int result =
                vm.underSlots(() ->
                        set(
                                new UserMemoryRegion(
                                        slots.freeId(),
                                        UserMemoryRegion.GUEST_MEMFD,
                                        gpa,
                                        size,
                                        gpa,
                                        memfd,
                                        0)));
        if (result != Errno.OK) {
            vm.underSlots(() -> memfds.remove(memfd));
        }
        return result;
    }

    /** KVM_SET_USER_MEMORY_REGION2, with its checks in the kernel's order. SLOTS is held. */
    int set(UserMemoryRegion region) {
        int bad = checkArguments(region);
        if (bad != Errno.OK) {
            return bad;
        }
        Memslot old = slots.byId(region.slot());
        if (region.size() == 0) {
            return old == null ? Errno.EINVAL : retire(old, null);
        }
        long from = Addresses.gfn(region.gpa());
        long to = from + (region.size() >>> Addresses.PAGE_SHIFT);
        if (old == null) {
            return slots.overlaps(from, to, null) ? Errno.EEXIST : create(region);
        }
        // Slots with private memory never change; they can only be deleted.
        if (region.wantsGmem()
                || region.userAddress() != old.userAddress()
                || to - from != old.end() - old.base()
                || old.memfd() != null) {
            return Errno.EINVAL;
        }
        if (from == old.base()) {
            return Errno.OK;
        }
        if (slots.overlaps(from, to, old)) {
            return Errno.EEXIST;
        }
        return retire(old, old.movedTo(region, source));
    }

    private int checkArguments(UserMemoryRegion region) {
        int known = UserMemoryRegion.GUEST_MEMFD;
        if (!region.wantsGmem()) {
            known |= UserMemoryRegion.LOG_DIRTY;
        }
        boolean sound =
                (region.flags() & ~known) == 0
                        && Addresses.isAligned(
                                region.size() | region.gpa() | region.userAddress(),
                                Addresses.PAGE_SIZE)
                        && Addresses.isAligned(region.gmemOffset(), Addresses.PAGE_SIZE)
                        && region.gmemOffset() >= 0
                        && region.gmemOffset() + region.size() >= 0
                        && region.slot() >= 0
                        && region.slot() < MAX_SLOTS
                        && region.size() >= 0
                        && region.gpa() >= 0
                        && region.gpa() + region.size() >= region.gpa()
                        && region.size() >>> Addresses.PAGE_SHIFT <= MAX_PAGES;
        if (!sound) {
            return Errno.EINVAL;
        }
        // The shared half of the address space is an alias, not memory of its own.
        boolean aliased =
                vm.life().stage() != Stage.UNINITIALIZED
                        && vm.life().stage() != Stage.DESTROYED
                        && region.gpa() + region.size() > 1L << vm.config().sharedBit();
        return aliased ? Errno.EINVAL : Errno.OK;
    }

    private int create(UserMemoryRegion region) {
        GuestMemfd memfd = region.gmem();
        if (region.wantsGmem()) {
            long first = region.gmemOffset() >>> Addresses.PAGE_SHIFT;
            long last = first + (region.size() >>> Addresses.PAGE_SHIFT);
            // kvm_gmem_bind: a file of this VM, large enough, each page bound once.
            if (memfd == null
                    || memfd.vm() != vm
                    || last > memfd.pages()
                    || !memfd.isUnbound(first, last)) {
                return Errno.EINVAL;
            }
        } else if (memfd != null) {
            return Errno.EINVAL;
        }
        Memslot slot = new Memslot(region, source);
        inherit(slot);
        if (memfd != null) {
            memfd.bound().add(slot);
        }
        slots.replace(null, slot);
        return Errno.OK;
    }

    private void inherit(Memslot slot) {
        attributes.forEach(
                slot.base(),
                slot.end(),
                (from, to) -> slot.attributes().set(slot.index(from), slot.index(to), true));
    }

    /**
     * Deletes a slot, or moves it: the old one is invalid first, so that nobody maps through it.
     */
    private int retire(Memslot old, @Nullable Memslot moved) {
        old.invalidate();
        int result = unmapping.begin(ranges.all(old), true);
        if (result == Errno.ENOMEM) {
            throw new AssertionError("a slot as a whole cuts no leaf");
        }
        unmapping.end();
        int shared = unmapping.begin(ranges, false);
        try {
            if (moved == null) {
                // The VMM unmaps its memory together with the slot.
                old.shared().punch(0, old.end() - old.base());
            } else {
                inherit(moved);
            }
            if (old.memfd() != null) {
                old.memfd().bound().remove(old);
            }
            slots.replace(old, moved);
        } finally {
            unmapping.end();
        }
        return result == Errno.OK ? shared : result;
    }

    // ------------------------------------------------------------------ attributes

    /**
     * KVM_SET_MEMORY_ATTRIBUTES, with its checks in the kernel's order. Counts the private mappings
     * removed.
     */
    MemoryChange setAttributes(@Gpa long gpa, long size, long wanted, long flags) {
        if (flags != 0
                || (wanted & ~ATTRIBUTE_PRIVATE) != 0
                || size <= 0
                || gpa < 0
                || gpa + size < gpa
                || !Addresses.isAligned(gpa | size, Addresses.PAGE_SIZE)) {
            return MemoryChange.refused(Errno.EINVAL);
        }
        boolean isPrivate = wanted != 0;
        long from = Addresses.gfn(gpa);
        long to = from + (size >>> Addresses.PAGE_SHIFT);
        try (SlotsGuard _ = vm.holdSlots()) {
            if (attributes.isAll(from, to, isPrivate)) {
                return MemoryChange.NOTHING;
            }
            // Exact: whoever zaps holds SLOTS.
            long before = vm.stats().get(Counter.ZAPS);
            // What is mapped the other way has to go; the new way nothing is mapped yet.
            int result = unmapping.begin(ranges.within(slots, from, to), !isPrivate);
            if (result == Errno.ENOMEM) {
                return MemoryChange.refused(result);
            }
            try {
                change(from, to, isPrivate);
            } finally {
                unmapping.end();
            }
            return MemoryChange.of(result, vm.stats().get(Counter.ZAPS) - before);
        }
    }

    private void change(@Gfn long from, @Gfn long to, boolean isPrivate) {
        attributes.set(from, to, isPrivate);
        for (int i = 0; i < ranges.count(); i++) {
            Memslot slot = ranges.slot(i);
            long first = slot.index(ranges.from(i));
            long changed = slot.attributes().set(first, slot.index(ranges.to(i)), isPrivate);
            vm.stats().add(NO_VCPU, isPrivate ? Counter.TO_PRIVATE : Counter.TO_SHARED, changed);
        }
    }

    /**
     * Gives back what backs a guest range, private or shared, as QEMU does after a conversion.
     * Counts the pages.
     */
    MemoryChange punch(@Gpa long gpa, long size, boolean isPrivate) {
        long from = Addresses.gfn(gpa);
        try (SlotsGuard _ = vm.holdSlots()) {
            ranges.within(slots, from, from + (size >>> Addresses.PAGE_SHIFT));
            int result = unmapping.begin(ranges, isPrivate);
            if (result == Errno.ENOMEM) {
                return MemoryChange.refused(result);
            }
            try {
                long freed = 0;
                for (int i = 0; i < ranges.count(); i++) {
                    freed += punch(ranges.slot(i), ranges.from(i), ranges.to(i), isPrivate);
                }
                return MemoryChange.of(result, freed);
            } finally {
                unmapping.end();
            }
        }
    }

    private static long punch(Memslot slot, @Gfn long from, @Gfn long to, boolean isPrivate) {
        if (isPrivate && slot.memfd() == null) {
            return 0;
        }
        Backing backing = isPrivate ? slot.gmem() : slot.shared();
        return backing.punch(slot.index(from), slot.index(to));
    }

    // ------------------------------------------------------------------ merging

    /** Merges 4K leaves into a 2M leaf; see {@link KvmTdx#collapse}. */
    int collapse(@Gpa long gpa) {
        LargeLeaves large = vm.large();
        if (large == null || !vm.isRunnable() || !Addresses.isAligned(gpa, Addresses.RANGE_SIZE)) {
            return Errno.EINVAL;
        }
        return vm.underSlots(() -> {
            HostCpu cpu = vm.claimAny();
            try {
                vm.mmuLock().writeLock();
                try {
                    return large.merge(cpu, Addresses.gfn(gpa));
                } finally {
                    vm.mmuLock().writeUnlock();
                }
            } finally {
                vm.release(cpu);
            }
        });
    }
}
