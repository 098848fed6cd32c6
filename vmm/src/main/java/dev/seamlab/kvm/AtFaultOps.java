// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.host.TdxHost;
import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.host.pamt.PamtBacking;
import dev.seamlab.host.tdh.MemLeaves;
import dev.seamlab.kvm.KvmStats.Counter;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Gfn;
import dev.seamlab.machine.Pfn;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.StatusCode;

/**
 * Backing is installed in the fault itself, under MMU, with pages from the running vCPU's pool (v4
 * patches 11 to 13, v6, merged; facts: Linux sheet section 4.4). Allocates nothing.
 */
final class AtFaultOps implements ExternalSptOps {
    private final KvmTdx vm;
    private final PamtBacking backing;
    private final MemLeaves module;

    AtFaultOps(KvmTdx vm, TdxHost host) {
        this.vm = vm;
        this.backing = host.backing();
        this.module = host.tdh().mem();
    }

    @Override
    public int linkTable(HostCpu cpu, KvmVcpu vcpu, @Gfn long gfn, int level, @Pfn long table) {
        vm.worksOn(cpu, PageUse.SEPT);
        int result = backing.get(cpu, table, vcpu.pool());
        if (result != Errno.OK) {
            return result;
        }
        // A level field in the low bits needs an address aligned to what the entry covers.
        long gpa = Addresses.alignDown(Addresses.gpa(gfn), PageInfo.sizeOf(level));
        long status = module.septAdd(cpu, vm.tdr(), gpa, level, Addresses.hpa(table));
        if (status == Status.SUCCESS) {
            vm.stats().count(vcpu.slot(), Counter.SEPT_PAGES);
            return Errno.OK;
        }
        return undo(cpu, vcpu, table, Leaf.MEM_SEPT_ADD, status);
    }

    @Override
    public int setLeaf(HostCpu cpu, KvmVcpu vcpu, @Gfn long gfn, @Pfn long page) {
        vm.worksOn(cpu, PageUse.GUEST_PRIVATE);
        int result = backing.get(cpu, page, vcpu.pool());
        if (result != Errno.OK) {
            return result;
        }
        long gpa = Addresses.gpa(gfn);
        long hpa = Addresses.hpa(page);
        // Read after get, with acquire: pairs with the release in FINALIZE_VM.
        boolean runnable = vm.isRunnable();
        long status =
                runnable
                        ? module.pageAug(cpu, vm.tdr(), gpa, PageInfo.LEVEL_4K, hpa)
                        : module.pageAdd(cpu, vm.tdr(), gpa, hpa, vcpu.populateSource());
        if (status == Status.SUCCESS) {
            vm.stats().count(vcpu.slot(), Counter.PRIVATE_PAGES);
            return Errno.OK;
        }
        return undo(cpu, vcpu, page, runnable ? Leaf.MEM_PAGE_AUG : Leaf.MEM_PAGE_ADD, status);
    }

    /** The page did not become the module's, so the count goes back. */
    private int undo(HostCpu cpu, KvmVcpu vcpu, @Pfn long page, Leaf leaf, long status) {
        backing.put(cpu, page);
        if (StatusCode.OPERAND_BUSY.matches(status)) {
            vm.stats().count(vcpu.slot(), Counter.BUSY_ANSWERS);
            return Errno.EBUSY;
        }
        vm.bug(leaf, status);
        return Errno.EIO;
    }
}
