// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.host.TdxHost;
import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.mem.PageAllocator;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.host.pamt.FaultPool;
import dev.seamlab.host.pamt.PamtBacking;
import dev.seamlab.kvm.KvmStats.Counter;
import dev.seamlab.machine.Gfn;
import dev.seamlab.machine.Pfn;
import dev.seamlab.seam.abi.PageInfo;

/**
 * Backing is installed in the fault itself, under MMU, with pages from the running vCPU's pool (v4
 * patches 11 to 13, v6, merged; facts: Linux sheet section 4.4). Allocates nothing.
 */
final class AtFaultOps implements ExternalSptOps {
    private final KvmTdx vm;
    private final PamtBacking backing;
    private final PageAllocator allocator;
    private final SeptCalls module;

    AtFaultOps(KvmTdx vm, TdxHost host) {
        this.vm = vm;
        this.backing = host.backing();
        this.allocator = host.pages();
        this.module = new SeptCalls(vm, host);
    }

    @Override
    public int topUp(HostCpu cpu, KvmVcpu vcpu) {
        FaultPool pool = vcpu.pool();
        int before = pool.held();
        if (pool.topUp(cpu, FaultPool.ROOT_MAX_LEVEL) != Errno.OK) {
            return Errno.ENOMEM;
        }
        if (pool.held() > before) {
            vm.stats().max(vcpu.slot(), Counter.POOL_HIGH_WATER, pool.held());
        }
        return Errno.OK;
    }

    @Override
    public int prepareLeaf(HostCpu cpu, KvmVcpu vcpu, int level, @Pfn long page) {
        return Errno.OK;
    }

    @Override
    public void settle(HostCpu cpu, KvmVcpu vcpu, @Pfn long page) {
        // Nothing was prepared.
    }

    @Override
    public @Pfn long takeTable(KvmVcpu vcpu) {
        return vcpu.pool().takeSeptPage();
    }

    @Override
    public void freeTable(HostCpu cpu, @Pfn long table) {
        allocator.free(table, PageUse.SEPT);
    }

    @Override
    public int linkTable(HostCpu cpu, KvmVcpu vcpu, @Gfn long gfn, int level, @Pfn long table) {
        vm.worksOn(cpu, PageUse.SEPT);
        int result = backing.get(cpu, table, vcpu.pool());
        if (result != Errno.OK) {
            return result;
        }
        result = module.addTable(cpu, vcpu, gfn, level, table);
        if (result != Errno.OK) {
            backing.put(cpu, table); // it did not become the module's
        }
        return result;
    }

    @Override
    public int setLeaf(HostCpu cpu, KvmVcpu vcpu, @Gfn long gfn, int level, @Pfn long page) {
        if (level != PageInfo.LEVEL_4K) {
            return module.addPage(cpu, vcpu, gfn, level, page); // I4: holds no count
        }
        vm.worksOn(cpu, PageUse.GUEST_PRIVATE);
        int result = backing.get(cpu, page, vcpu.pool());
        if (result != Errno.OK) {
            return result;
        }
        result = module.addPage(cpu, vcpu, gfn, PageInfo.LEVEL_4K, page);
        if (result != Errno.OK) {
            backing.put(cpu, page);
        }
        return result;
    }

    @Override
    public void drain(HostCpu cpu, KvmVcpu vcpu) {
        vm.stats().add(0, Counter.POOL_UNUSED, vcpu.pool().held());
        vcpu.pool().drain();
    }

    @Override
    public int readyTables(KvmVcpu vcpu) {
        return 0;
    }
}
