// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.mem.PageAllocator;
import dev.seamlab.kvm.KvmStats.Counter;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Gfn;
import dev.seamlab.machine.Pfn;
import dev.seamlab.machine.sched.Waits;
import dev.seamlab.seam.abi.PageInfo;

/**
 * Serves EPT violations (facts: Linux sheet sections 4.2 to 4.4). Order, and why:
 *
 * <ol>
 *   <li>top up the vCPU's caches: that may allocate, which MMU forbids;
 *   <li>note the invalidation sequence, then look up attribute and page: whoever changes either
 *       moves the sequence afterwards;
 *   <li>take MMU for reading; a moved sequence means that what was looked up is stale;
 *   <li>walk the mirror, linking tables and mapping the page with the module, each entry frozen
 *       while the module is asked.
 * </ol>
 *
 * BUSY from the module becomes RETRY, which is repeated here rather than by entering the guest: a
 * guest that faults on and on at one instruction makes the module's zero-step mitigation take the
 * Secure EPT lock, which would collide with the next attempt.
 */
final class FaultPath {
    /** Not mapped by the attempt; do it again. Positive, so that it is no errno. */
    static final int RETRY = 1;

    /** The fault was no ACCEPT, or the guest's wish is not known. */
    static final int NO_ACCEPT = -1;

    /** Cannot be mapped at 2M; do it again at 4K. */
    private static final int SMALLER = 2;

    private final KvmTdx vm;
    private final ExternalSptOps external;
    private final LeafLevels levels;

    FaultPath(KvmTdx vm, ExternalSptOps external, LeafLevels levels) {
        this.vm = vm;
        this.external = external;
        this.levels = levels;
    }

    /**
     * Serves a fault of a running vCPU.
     *
     * @param acceptLevel level at which the guest accepts, or {@link #NO_ACCEPT}
     * @return OK; RETRY where the vCPU has something else to do first; EFAULT where user space has
     *     to change memory attributes, or no slot is there; ENOMEM; EIO
     */
    int handle(HostCpu cpu, KvmVcpu vcpu, @Gfn long gfn, boolean isPrivate, int acceptLevel) {
        int result = levels.makeRoom(cpu, gfn, acceptLevel);
        if (result != Errno.OK) {
            return result;
        }
        result = attempt(cpu, vcpu, gfn, isPrivate, acceptLevel);
        while (result == RETRY && !vcpu.hasEvent(cpu)) {
            vm.stats().count(vcpu.slot(), Counter.FAULT_RETRIES);
            Waits.pause();
            result = attempt(cpu, vcpu, gfn, isPrivate, acceptLevel);
        }
        if (result == Errno.OK) {
            vm.stats()
                    .count(vcpu.slot(), isPrivate ? Counter.PRIVATE_FAULTS : Counter.SHARED_FAULTS);
        }
        return result;
    }

    /** One attempt, from top-up to mapping. */
    int attempt(HostCpu cpu, KvmVcpu vcpu, @Gfn long gfn, boolean isPrivate, int acceptLevel) {
        if (vm.isDead()) {
            return Errno.EIO;
        }
        int result = isPrivate ? external.topUp(cpu, vcpu) : Errno.OK;
        if (result != Errno.OK) {
            return result;
        }
        long sequence = vm.invalidations().sequence();
        Memslot slot = isPrivate ? vcpu.faultRange().slotOf(gfn, sequence) : null;
        boolean isKnown = slot != null;
        if (!isKnown) {
            slot = vm.slots().find(gfn);
        }
        if (slot == null) {
            return Errno.EFAULT;
        }
        if (slot.isInvalid()) {
            // Being deleted or moved: its mappings have gone already, and none may come after them.
            return RETRY;
        }
        if (!isKnown) {
            if (!slot.admits(gfn, isPrivate)) {
                return Errno.EFAULT;
            }
            if (!isPrivate) {
                return faultShared(cpu, vcpu, slot, gfn, sequence);
            }
            vcpu.faultRange().remember(gfn, slot, sequence);
        }
        if (levels.levelOf(slot, gfn, acceptLevel) == PageInfo.LEVEL_2M) {
            long first = gfn & -Addresses.PAGES_PER_RANGE;
            long unit = slot.gmem().getOrAllocateUnit(cpu, vcpu.slot(), slot.index(first));
            if (unit != PageAllocator.NONE) {
                result = faultPrivate(cpu, vcpu, first, PageInfo.LEVEL_2M, unit, sequence);
                if (result != SMALLER) {
                    return result;
                }
            }
        }
        long pfn = slot.gmem().getOrAllocate(cpu, vcpu.slot(), slot.index(gfn));
        return pfn == PageAllocator.NONE
                ? Errno.ENOMEM
                : faultPrivate(cpu, vcpu, gfn, PageInfo.LEVEL_4K, pfn, sequence);
    }

    private int faultShared(HostCpu cpu, KvmVcpu vcpu, Memslot slot, @Gfn long gfn, long sequence) {
        long pfn = slot.shared().getOrAllocate(cpu, vcpu.slot(), slot.index(gfn));
        if (pfn == PageAllocator.NONE) {
            return Errno.ENOMEM;
        }
        vm.mmuLock().readLock(vcpu.slot());
        try {
            return vm.invalidations().isStale(sequence) ? RETRY : mapShared(slot, gfn, pfn);
        } finally {
            vm.mmuLock().readUnlock(vcpu.slot());
        }
    }

    private int faultPrivate(
            HostCpu cpu, KvmVcpu vcpu, @Gfn long gfn, int level, @Pfn long pfn, long sequence) {
        int result = external.prepareLeaf(cpu, vcpu, level, pfn);
        if (result != Errno.OK) {
            return result;
        }
        vm.mmuLock().readLock(vcpu.slot());
        try {
            return vm.invalidations().isStale(sequence)
                    ? RETRY
                    : mapPrivate(cpu, vcpu, gfn, level, pfn);
        } finally {
            vm.mmuLock().readUnlock(vcpu.slot());
            external.settle(cpu, vcpu, pfn);
        }
    }

    private static int mapShared(Memslot slot, @Gfn long gfn, @Pfn long pfn) {
        // Losing against another vCPU is success: it mapped the same page.
        boolean mine = slot.sharedMappings().putIfNone(slot.index(gfn), pfn);
        assert mine || slot.sharedMappings().get(slot.index(gfn)) == pfn : "two pages for one gfn";
        return Errno.OK;
    }

    private int mapPrivate(HostCpu cpu, KvmVcpu vcpu, @Gfn long gfn, int leafLevel, @Pfn long pfn) {
        MirrorCursor cursor = vcpu.mirrorCursor();
        MirrorTable table =
                leafLevel == PageInfo.LEVEL_4K ? cursor.tableOf(vm.mirror(), gfn) : null;
        if (table == null) {
            table = vm.mirror().root();
            for (int level = vm.mirror().rootLevel(); level > leafLevel; level--) {
                int index = MirrorEpt.index(gfn, level);
                long entry = table.read(index);
                if (entry == MirrorTable.EMPTY) {
                    int result = link(cpu, vcpu, table, index, gfn, level);
                    if (result != Errno.OK) {
                        return result;
                    }
                } else if (entry == MirrorTable.FROZEN) {
                    return RETRY;
                } else if (MirrorTable.isLeaf(entry)) {
                    return Errno.OK; // a 2M leaf covers the page already
                }
                table = table.child(index);
            }
            if (leafLevel == PageInfo.LEVEL_4K) {
                cursor.remember(vm.mirror(), gfn, table);
            }
        }
        int index = MirrorEpt.index(gfn, leafLevel);
        long entry = table.read(index);
        if (entry == MirrorTable.FROZEN) {
            return RETRY;
        }
        if (entry != MirrorTable.EMPTY) {
            if (!MirrorTable.isLeaf(entry)) {
                return SMALLER; // the range has a table, which stays while the TD lives
            }
            assert entry == MirrorTable.leaf(pfn) : "mapped to another page than guest_memfd's";
            return Errno.OK; // another vCPU was quicker
        }
        if (!table.freeze(index, MirrorTable.EMPTY)) {
            return RETRY;
        }
        int result = external.setLeaf(cpu, vcpu, gfn, leafLevel, pfn);
        table.thaw(index, result == Errno.OK ? MirrorTable.leaf(pfn) : MirrorTable.EMPTY);
        return switch (result) {
            case Errno.EBUSY -> RETRY;
            case Errno.E2BIG -> SMALLER;
            default -> result;
        };
    }

    private int link(
            HostCpu cpu, KvmVcpu vcpu, MirrorTable table, int index, @Gfn long gfn, int level) {
        if (!table.freeze(index, MirrorTable.EMPTY)) {
            return RETRY;
        }
        long page = external.takeTable(vcpu);
        if (page == PageAllocator.NONE) {
            table.thaw(index, MirrorTable.EMPTY);
            return Errno.ENOMEM;
        }
        int result = external.linkTable(cpu, vcpu, gfn, level, page);
        if (result == Errno.OK) {
            table.hang(index, new MirrorTable(level - 1, page));
            table.thaw(index, MirrorTable.table(page));
            return Errno.OK;
        }
        table.thaw(index, MirrorTable.EMPTY);
        external.freeTable(cpu, page);
        return result == Errno.EBUSY ? RETRY : result;
    }
}
