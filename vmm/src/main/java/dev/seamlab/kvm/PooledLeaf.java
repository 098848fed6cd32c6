// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.host.TdxHost;
import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.host.pamt.PamtBacking;
import dev.seamlab.kvm.KvmStats.Counter;
import dev.seamlab.machine.Pfn;

/**
 * Leaves get their backing in the fault, under MMU, with a pair from the vCPU's pool (v5). The pool
 * keeps pages for five gets, as posted, though one fault needs one; review called that too many.
 */
final class PooledLeaf implements LeafBacking {
    private final KvmTdx vm;
    private final PamtBacking backing;

    PooledLeaf(KvmTdx vm, TdxHost host) {
        this.vm = vm;
        this.backing = host.backing();
    }

    @Override
    public int topUp(HostCpu cpu, KvmVcpu vcpu) {
        int result = vcpu.pool().topUp(cpu, 0); // no tables from here
        vm.stats().max(vcpu.slot(), Counter.POOL_HIGH_WATER, vcpu.pool().held());
        return result;
    }

    @Override
    public int lookedUp(HostCpu cpu, KvmVcpu vcpu, @Pfn long page) {
        return Errno.OK;
    }

    @Override
    public int beforeMap(HostCpu cpu, KvmVcpu vcpu, @Pfn long page) {
        vm.worksOn(cpu, PageUse.GUEST_PRIVATE);
        return backing.get(cpu, page, vcpu.pool());
    }

    @Override
    public void afterMap(HostCpu cpu, KvmVcpu vcpu, @Pfn long page, boolean mapped) {
        if (!mapped) {
            backing.put(cpu, page);
        }
    }

    @Override
    public void settle(HostCpu cpu, KvmVcpu vcpu, @Pfn long page) {
        // Settled under MMU.
    }
}
