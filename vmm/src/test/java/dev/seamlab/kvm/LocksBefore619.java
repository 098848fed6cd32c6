// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.host.TdxHost;
import dev.seamlab.machine.sched.Lock;
import org.jspecify.annotations.Nullable;

/**
 * a step locks what it was called on and nothing else, kvm-&gt;lock for one of the VM, the
 * vCPU's own mutex for one of a vCPU, as KVM did before Linux 6.19; nobody looks whether a vCPU is
 * being created.
 */
public final class LocksBefore619 implements StateGuard {
    /** A VM as KVM had them then. */
    public static KvmTdx vm(TdxHost host, PairLedger ledger, int owner, int maxVcpus) {
        return new KvmTdx(host, ledger, owner, maxVcpus, new LocksBefore619());
    }

    @Override
    public int with(KvmTdx vm, @Nullable KvmVcpu vcpu, Step step) {
        Lock lock = vcpu == null ? vm.kvmLock() : vcpu.mutex();
        lock.lock();
        try {
            return vm.working(step);
        } finally {
            lock.unlock();
        }
    }
}
