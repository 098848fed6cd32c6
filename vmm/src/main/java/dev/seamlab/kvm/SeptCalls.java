// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.host.TdxHost;
import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.kernel.Errno;
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
 * The SEAMCALLs that grow a Secure EPT, for pages whose backing is somebody else's business.
 * Success is counted, BUSY becomes EBUSY, anything else means a bugged VM and EIO.
 */
final class SeptCalls {
    private final KvmTdx vm;
    private final MemLeaves module;

    SeptCalls(KvmTdx vm, TdxHost host) {
        this.vm = vm;
        this.module = host.tdh().mem();
    }

    /** TDH.MEM.SEPT.ADD. */
    int addTable(HostCpu cpu, KvmVcpu vcpu, @Gfn long gfn, int level, @Pfn long table) {
        // A level field in the low bits needs an address aligned to what the entry covers.
        long gpa = Addresses.alignDown(Addresses.gpa(gfn), PageInfo.sizeOf(level));
        long status = module.septAdd(cpu, vm.tdr(), gpa, level, Addresses.hpa(table));
        if (status == Status.SUCCESS) {
            vm.stats().count(vcpu.slot(), Counter.SEPT_PAGES);
            return Errno.OK;
        }
        return refused(vcpu, Leaf.MEM_SEPT_ADD, status);
    }

    /**
     * TDH.MEM.PAGE.AUG, or PAGE.ADD while the TD is being built.
     *
     * @return also E2BIG: the range of a 2M page has a page pair that nobody could take away
     *     so only 4K pages fit. A choice of the model; no posted series handles it
     */
    int addPage(HostCpu cpu, KvmVcpu vcpu, @Gfn long gfn, int level, @Pfn long page) {
        long gpa = Addresses.gpa(gfn);
        long hpa = Addresses.hpa(page);
        // Read after get, with acquire: pairs with the release in FINALIZE_VM.
        boolean runnable = vm.isRunnable();
        long status =
                runnable
                        ? module.pageAug(cpu, vm.tdr(), gpa, level, hpa)
                        : module.pageAdd(cpu, vm.tdr(), gpa, hpa, vcpu.populateSource());
        if (status == Status.SUCCESS) {
            if (level == PageInfo.LEVEL_4K) {
                vm.stats().count(vcpu.slot(), Counter.PRIVATE_PAGES);
            } else {
                vm.stats().add(vcpu.slot(), Counter.PRIVATE_PAGES, Addresses.PAGES_PER_RANGE);
                vm.stats().count(vcpu.slot(), Counter.LARGE_LEAVES);
            }
            return Errno.OK;
        }
        if (level == PageInfo.LEVEL_2M && StatusCode.PAGE_METADATA_INCORRECT.matches(status)) {
            vm.note(Leaf.MEM_PAGE_AUG, status);
            return Errno.E2BIG;
        }
        return refused(vcpu, runnable ? Leaf.MEM_PAGE_AUG : Leaf.MEM_PAGE_ADD, status);
    }

    private int refused(KvmVcpu vcpu, Leaf leaf, long status) {
        if (StatusCode.OPERAND_BUSY.matches(status)) {
            vm.stats().busy(vcpu.slot(), Counter.BUSY_ANSWERS, status);
            return Errno.EBUSY;
        }
        vm.bug(leaf, status);
        return Errno.EIO;
    }
}
