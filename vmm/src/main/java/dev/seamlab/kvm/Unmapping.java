// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Gfn;
import dev.seamlab.machine.Pfn;
import org.jspecify.annotations.Nullable;

/**
 * Takes the mappings of one kind away from some ranges, for a change that makes them wrong. Guarded
 * by SLOTS:
 *
 * <ol>
 *   <li>{@link #begin}, with MMU for writing: the invalidation begins, mappings go;
 *   <li>without MMU: the change itself;
 *   <li>{@link #end}, with MMU for writing: the invalidation ends. Faults that looked anything up
 *       before it have to look again.
 * </ol>
 *
 * <p>What splitting 2M leaves may need is set aside before that: under MMU nothing can be
 * allocated.
 */
final class Unmapping {
    private final KvmTdx vm;
    private @Nullable HostCpu cpu; // claimed from begin to end
    private @Nullable LargeLeaves large; // set where pages for splits are set aside
    private int cuts;

    Unmapping(KvmTdx vm) {
        this.vm = vm;
    }

    /**
     * Begins, and takes the mappings away.
     *
     * @param ofPrivate which kind
     * @return OK; EIO where a page had to be leaked, and the change is to be made all the same;
     *     ENOMEM: nothing has changed, and there is nothing to {@link #end}
     */
    int begin(SlotRanges ranges, boolean ofPrivate) {
        LargeLeaves leaves = ofPrivate ? vm.large() : null;
        cuts = leaves == null ? 0 : ranges.cuts();
        large = cuts == 0 ? null : leaves;
        if (large != null) {
            int result = large.reserve(cuts);
            if (result != Errno.OK) {
                return result;
            }
        }
        HostCpu claimed = vm.claimAny();
        cpu = claimed;
        boolean begun = false;
        try {
            int result = unmap(claimed, ranges, ofPrivate);
            begun = true;
            return result;
        } finally {
            if (!begun) {
                letGo();
            }
        }
    }

    /** Ends what began. */
    void end() {
        try {
            vm.mmuLock().writeLock();
            try {
                vm.invalidations().end();
            } finally {
                vm.mmuLock().writeUnlock();
            }
        } finally {
            letGo();
        }
    }

    private void letGo() {
        HostCpu claimed = cpu;
        if (claimed != null) {
            cpu = null;
            vm.release(claimed);
        }
        LargeLeaves reservedFrom = large;
        if (reservedFrom != null) {
            large = null;
            reservedFrom.release(cuts);
        }
    }

    private int unmap(HostCpu on, SlotRanges ranges, boolean ofPrivate) {
        int result = Errno.OK;
        vm.mmuLock().writeLock();
        try {
            vm.invalidations().begin();
            for (int i = 0; i < ranges.count(); i++) {
                Memslot slot = ranges.slot(i);
                int one =
                        ofPrivate
                                ? zapPrivate(on, slot, ranges.from(i), ranges.to(i))
                                : zapShared(slot, ranges.from(i), ranges.to(i));
                result = one == Errno.OK ? result : one;
            }
        } finally {
            vm.mmuLock().writeUnlock();
        }
        return result;
    }

    private int zapPrivate(HostCpu on, Memslot slot, @Gfn long from, @Gfn long to) {
        if (!vm.hasMirror() || slot.memfd() == null) {
            return Errno.OK;
        }
        LargeLeaves leaves = vm.large();
        int result = leaves == null ? Errno.OK : leaves.clear(on, slot, from, to);
        int rest = vm.zaps().zap(on, slot, from, to);
        return result == Errno.OK ? rest : result;
    }

    private int zapShared(Memslot slot, @Gfn long from, @Gfn long to) {
        boolean any = false;
        for (long gfn = from; gfn < to; gfn++) {
            long index = slot.index(gfn);
            if (slot.sharedMappings().isUntouched(index)) {
                gfn += Addresses.PAGES_PER_RANGE - 1 - (index & (Addresses.PAGES_PER_RANGE - 1));
                continue;
            }
            @Pfn long pfn = slot.sharedMappings().take(index);
            any |= pfn != PageTable512.NONE;
        }
        if (any) {
            vm.vcpuTable().kickAll(); // the TLB flush: no vCPU uses a translation from before
        }
        return Errno.OK;
    }
}
