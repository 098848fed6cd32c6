// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.host.TdxHost;
import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.kvm.KvmStats.Counter;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Gfn;
import dev.seamlab.machine.Gpa;
import dev.seamlab.machine.Pfn;
import dev.seamlab.machine.sched.LockRank;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.StatusCode;

/**
 * Takes private leaves out of a living TD, under MMU held for writing (facts: Linux sheet section
 * 4.5): BLOCK, TRACK and kick, REMOVE, WBINVD under the TD's KeyID, reset, put. Tables stay until
 * the TD is torn down.
 *
 * <p>A status that is neither success nor BUSY means that the module may still own the page: it is
 * leaked on purpose, and the VM is marked as bugged.
 */
final class ZapPath {
    private final KvmTdx vm;
    private final TdxHost host;

    ZapPath(KvmTdx vm, TdxHost host) {
        this.vm = vm;
        this.host = host;
    }

    /** Removes every private leaf of a range. EIO where a page had to be leaked. */
    int zap(HostCpu cpu, Memslot slot, @Gfn long from, @Gfn long to) {
        assert LockRank.Held.isHeld(LockRank.MMU);
        int result = Errno.OK;
        long gfn = from;
        while (gfn < to) {
            MirrorTable table = vm.mirror().leafTable(gfn);
            long tableEnd = (gfn | (Addresses.PAGES_PER_RANGE - 1)) + 1;
            long end = Math.min(to, tableEnd);
            for (; table != null && gfn < end; gfn++) {
                long entry = table.read(MirrorEpt.index(gfn, 0));
                if (MirrorTable.isPresent(entry)) {
                    int one = zapLeaf(cpu, slot, table, gfn, entry);
                    result = one == Errno.OK ? result : one;
                }
            }
            gfn = end;
        }
        return result;
    }

    private int zapLeaf(HostCpu cpu, Memslot slot, MirrorTable table, @Gfn long gfn, long entry) {
        int index = MirrorEpt.index(gfn, 0);
        long page = MirrorTable.pfn(entry);
        // Nobody else can be here: MMU is held for writing.
        table.freeze(index, entry);
        int result = remove(cpu, Addresses.gpa(gfn), page);
        table.thaw(index, MirrorTable.EMPTY);
        vm.stats().add(0, Counter.PRIVATE_PAGES, -1);
        if (result == Errno.OK) {
            vm.stats().count(0, Counter.ZAPS);
        } else {
            slot.gmem().leak(slot.index(gfn));
            vm.leaked(page);
        }
        return result;
    }

    private int remove(HostCpu cpu, @Gpa long gpa, @Pfn long page) {
        if (!vm.hasKeyId()) {
            return reclaim(cpu, page);
        }
        long status = call(cpu, Leaf.MEM_RANGE_BLOCK, gpa);
        if (status != Status.SUCCESS) {
            return bug(Leaf.MEM_RANGE_BLOCK, status);
        }
        if (vm.isRunnable()) {
            status = call(cpu, Leaf.MEM_TRACK, gpa);
            if (status != Status.SUCCESS) {
                return bug(Leaf.MEM_TRACK, status);
            }
            vm.vcpuTable().kickAll();
        }
        status = call(cpu, Leaf.MEM_PAGE_REMOVE, gpa);
        if (status != Status.SUCCESS) {
            return bug(Leaf.MEM_PAGE_REMOVE, status);
        }
        status = host.tdh().phymem().pageWbinvd(cpu, Addresses.hpa(page), vm.hkid());
        if (status != Status.SUCCESS) {
            return bug(Leaf.PHYMEM_PAGE_WBINVD, status);
        }
        host.pageReset().reset(page);
        host.backing().put(cpu, page);
        return Errno.OK;
    }

    /**
     * once the KeyID is released nothing can translate any more, so there is nothing to block
     * or to track, and the leaves above would be refused.
     */
    private int reclaim(HostCpu cpu, @Pfn long page) {
        long status = host.tdh().phymem().pageReclaim(cpu, Addresses.hpa(page));
        if (status != Status.SUCCESS) {
            return bug(Leaf.PHYMEM_PAGE_RECLAIM, status);
        }
        host.pageReset().reset(page);
        host.backing().put(cpu, page);
        return Errno.OK;
    }

    /** Calls a leaf; on BUSY once more with every vCPU kept out of the guest, which must do. */
    private long call(HostCpu cpu, Leaf leaf, @Gpa long gpa) {
        long status = callOnce(cpu, leaf, gpa);
        if (!isBusy(status)) {
            return status;
        }
        vm.stats().busy(0, Counter.ZAP_BUSY, status);
        vm.life().holdEntries(true);
        try {
            vm.vcpuTable().kickAll();
            return callOnce(cpu, leaf, gpa);
        } finally {
            vm.life().holdEntries(false);
        }
    }

    private long callOnce(HostCpu cpu, Leaf leaf, @Gpa long gpa) {
        return switch (leaf) {
            case MEM_RANGE_BLOCK ->
                    host.tdh().mem().rangeBlock(cpu, vm.tdr(), gpa, PageInfo.LEVEL_4K);
            case MEM_TRACK -> host.tdh().mem().track(cpu, vm.tdr());
            case MEM_PAGE_REMOVE ->
                    host.tdh().mem().pageRemove(cpu, vm.tdr(), gpa, PageInfo.LEVEL_4K);
            default -> throw new AssertionError(leaf + " is no step of a zap");
        };
    }

    private int bug(Leaf leaf, long status) {
        vm.bug(leaf, status);
        return Errno.EIO;
    }

    private static boolean isBusy(long status) {
        return StatusCode.OPERAND_BUSY.matches(status)
                || StatusCode.PREVIOUS_TLB_EPOCH_BUSY.matches(status);
    }
}
