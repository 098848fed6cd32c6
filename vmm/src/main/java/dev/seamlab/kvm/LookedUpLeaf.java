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
 * Leaves get their backing right after their page was looked up, before the MMU lock, straight from
 * the page allocator: no pool, and a get for nothing where the attempt comes to nothing. The level
 * must be known that early, which is the variant's price (facts: Linux sheet section 8.1).
 */
final class LookedUpLeaf implements LeafBacking {
    private final KvmTdx vm;
    private final TdxHost host;
    private final PamtBacking backing;

    /** By slot: whether the vCPU holds a count for a page that is not mapped yet. */
    private final boolean[] holds;

    LookedUpLeaf(KvmTdx vm, TdxHost host, int maxVcpus) {
        this.vm = vm;
        this.host = host;
        this.backing = host.backing();
        this.holds = new boolean[maxVcpus + 1];
    }

    @Override
    public int topUp(HostCpu cpu, KvmVcpu vcpu) {
        return Errno.OK;
    }

    @Override
    public int lookedUp(HostCpu cpu, KvmVcpu vcpu, @Pfn long page) {
        vm.worksOn(cpu, PageUse.GUEST_PRIVATE);
        int result = backing.get(cpu, page, host.sleepingPairs(cpu.node()));
        holds[vcpu.slot()] = result == Errno.OK;
        return result;
    }

    @Override
    public int beforeMap(HostCpu cpu, KvmVcpu vcpu, @Pfn long page) {
        assert holds[vcpu.slot()] : "mapping a page without backing";
        return Errno.OK;
    }

    @Override
    public void afterMap(HostCpu cpu, KvmVcpu vcpu, @Pfn long page, boolean mapped) {
        holds[vcpu.slot()] = !mapped; // the count is the mapping's now
    }

    @Override
    public void settle(HostCpu cpu, KvmVcpu vcpu, @Pfn long page) {
        if (holds[vcpu.slot()]) {
            holds[vcpu.slot()] = false;
            vm.stats().count(vcpu.slot(), Counter.LEAVES_UNUSED);
            backing.put(cpu, page);
        }
    }
}
