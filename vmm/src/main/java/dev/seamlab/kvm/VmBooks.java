// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.kvm.KvmStats.Counter;
import dev.seamlab.machine.sched.WaitTimes;

/**
 * What a VM holds and what it waited for, added up over its parts at the moment of asking. For any
 * thread; exact where nobody moves.
 */
public final class VmBooks {
    private final KvmTdx vm;

    VmBooks(KvmTdx vm) {
        this.vm = vm;
    }

    /** Control pages the TD and its vCPUs hold. */
    public long controlPages() {
        long count = vm.pages().count();
        for (KvmVcpu vcpu : vm.vcpus()) {
            count += vcpu.controlPages();
        }
        return count;
    }

    /** Pages that wait in the vCPUs' pools, and in that for splits. */
    public long poolPages() {
        long count = 0;
        for (KvmVcpu vcpu : vm.vcpus()) {
            count += vcpu.poolPages();
        }
        LargeLeaves leaves = vm.large();
        return leaves == null ? count : count + leaves.pool().held();
    }

    /** Secure EPT pages that wait with their backing in the vCPUs' caches. */
    public long readyTables() {
        long count = 0;
        for (KvmVcpu vcpu : vm.vcpus()) {
            count += vm.external().readyTables(vcpu);
        }
        return count;
    }

    /** Times that an empty pool had to be helped out by an atomic allocation. */
    public long poolFallbacks() {
        long count = 0;
        for (KvmVcpu vcpu : vm.vcpus()) {
            count += vcpu.poolFallbacks();
        }
        return count;
    }

    /** Most pages that were ever kept ready to split 2M leaves. */
    public int splitPoolHighWater() {
        LargeLeaves leaves = vm.large();
        return leaves == null ? 0 : leaves.pool().highWater();
    }

    /** Pages allocated for private use, mapped or not. */
    public long gmemPages() {
        return vm.stats().get(Counter.GMEM_PAGES);
    }

    /** Pages allocated for shared use. */
    public long sharedPages() {
        return vm.stats().get(Counter.SHARED_PAGES);
    }

    /** How long faults waited for mmu_lock. */
    public WaitTimes.Snapshot mmuReadWaits() {
        return vm.mmuLock().readWaits();
    }

    /** How long zaps, splits and invalidations waited for mmu_lock. */
    public WaitTimes.Snapshot mmuWriteWaits() {
        return vm.mmuLock().writeWaits();
    }
}
