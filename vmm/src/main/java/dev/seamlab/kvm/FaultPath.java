// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.mem.PageAllocator;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.host.pamt.FaultPool;
import dev.seamlab.kvm.KvmStats.Counter;
import dev.seamlab.machine.Gfn;
import dev.seamlab.machine.Pfn;
import dev.seamlab.machine.sched.Waits;

/**
 * Serves EPT violations (facts: Linux sheet sections 4.2 to 4.4). Order, and why:
 *
 * <ol>
 *   <li>top up the vCPU's pool: it may allocate, which MMU forbids;
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

    private final KvmTdx vm;
    private final ExternalSptOps external;
    private final PageAllocator allocator;

    FaultPath(KvmTdx vm, ExternalSptOps external, PageAllocator allocator) {
        this.vm = vm;
        this.external = external;
        this.allocator = allocator;
    }

    /**
     * Serves a fault of a running vCPU.
     *
     * @return OK; RETRY where the vCPU has something else to do first; EFAULT where user space has
     *     to change memory attributes, or no slot is there; ENOMEM; EIO
     */
    int handle(HostCpu cpu, KvmVcpu vcpu, @Gfn long gfn, boolean isPrivate) {
        int result = attempt(cpu, vcpu, gfn, isPrivate);
        while (result == RETRY && !vcpu.hasEvent(cpu)) {
            vm.stats().count(vcpu.slot(), Counter.FAULT_RETRIES);
            Waits.pause();
            result = attempt(cpu, vcpu, gfn, isPrivate);
        }
        if (result == Errno.OK) {
            vm.stats()
                    .count(vcpu.slot(), isPrivate ? Counter.PRIVATE_FAULTS : Counter.SHARED_FAULTS);
        }
        return result;
    }

    /** One attempt, from top-up to mapping. */
    int attempt(HostCpu cpu, KvmVcpu vcpu, @Gfn long gfn, boolean isPrivate) {
        if (vm.isDead()) {
            return Errno.EIO;
        }
        if (isPrivate) {
            FaultPool pool = vcpu.pool();
            if (pool.topUp(cpu, FaultPool.ROOT_MAX_LEVEL) != Errno.OK) {
                return Errno.ENOMEM;
            }
            vm.stats().max(vcpu.slot(), Counter.POOL_HIGH_WATER, pool.held());
        }
        long sequence = vm.invalidations().sequence();
        Memslot slot = vm.slots().find(gfn);
        if (slot == null || !slot.admits(gfn, isPrivate)) {
            return Errno.EFAULT;
        }
        Backing backing = isPrivate ? slot.gmem() : slot.shared();
        long pfn = backing.getOrAllocate(cpu, slot.index(gfn));
        if (pfn == PageAllocator.NONE) {
            return Errno.ENOMEM;
        }
        vm.mmuLock().readLock(vcpu.slot());
        try {
            if (vm.invalidations().isStale(sequence)) {
                return RETRY;
            }
            return isPrivate ? mapPrivate(cpu, vcpu, gfn, pfn) : mapShared(slot, gfn, pfn);
        } finally {
            vm.mmuLock().readUnlock(vcpu.slot());
        }
    }

    private static int mapShared(Memslot slot, @Gfn long gfn, @Pfn long pfn) {
        // Losing against another vCPU is success: it mapped the same page.
        boolean mine = slot.sharedMappings().putIfNone(slot.index(gfn), pfn);
        assert mine || slot.sharedMappings().get(slot.index(gfn)) == pfn : "two pages for one gfn";
        return Errno.OK;
    }

    private int mapPrivate(HostCpu cpu, KvmVcpu vcpu, @Gfn long gfn, @Pfn long pfn) {
        MirrorTable table = vm.mirror().root();
        for (int level = vm.mirror().rootLevel(); level > 0; level--) {
            int index = MirrorEpt.index(gfn, level);
            long entry = table.read(index);
            if (entry == MirrorTable.EMPTY) {
                int result = link(cpu, vcpu, table, index, gfn, level);
                if (result != Errno.OK) {
                    return result;
                }
            } else if (entry == MirrorTable.FROZEN) {
                return RETRY;
            }
            table = table.child(index);
        }
        int index = MirrorEpt.index(gfn, 0);
        long entry = table.read(index);
        if (entry == MirrorTable.FROZEN) {
            return RETRY;
        }
        if (entry != MirrorTable.EMPTY) {
            assert entry == MirrorTable.leaf(pfn) : "mapped to another page than guest_memfd's";
            return Errno.OK; // another vCPU was quicker
        }
        if (!table.freeze(index, MirrorTable.EMPTY)) {
            return RETRY;
        }
        int result = external.setLeaf(cpu, vcpu, gfn, pfn);
        table.thaw(index, result == Errno.OK ? MirrorTable.leaf(pfn) : MirrorTable.EMPTY);
        return result == Errno.EBUSY ? RETRY : result;
    }

    private int link(
            HostCpu cpu, KvmVcpu vcpu, MirrorTable table, int index, @Gfn long gfn, int level) {
        if (!table.freeze(index, MirrorTable.EMPTY)) {
            return RETRY;
        }
        long page = vcpu.pool().takeSeptPage();
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
        allocator.free(page, PageUse.SEPT);
        return result == Errno.EBUSY ? RETRY : result;
    }
}
