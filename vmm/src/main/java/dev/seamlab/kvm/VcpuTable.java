// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.host.TdxHost;
import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.kvm.KvmStats.Counter;
import dev.seamlab.kvm.VmLife.Stage;
import dev.seamlab.machine.sched.Lock;
import dev.seamlab.machine.sched.LockRank;
import java.util.Arrays;

/**
 * The vCPUs of a VM. KVM_CREATE_VCPU has two halves, between which the vCPU counts as created but
 * is not online: steps that need all vCPUs refuse to run then, and a creation that fails
 * there leaves no trace. The table grows under KVM; who is online is read without a lock.
 */
final class VcpuTable {
    private final KvmTdx vm;
    private final TdxHost host;
    private volatile int max; // lowered under KVM, before there are vCPUs
    private int created; // guarded by KVM: those in creation included
    private volatile KvmVcpu[] online = {};

    /**
     * @param max KVM_CAP_MAX_VCPUS
     */
    VcpuTable(KvmTdx vm, TdxHost host, int max) {
        this.vm = vm;
        this.host = host;
        this.max = max;
    }

    /** Those that are online, by number. */
    KvmVcpu[] online() {
        return online;
    }

    /** Most vCPUs that there may be. */
    int max() {
        return max;
    }

    /** Allows fewer; EINVAL for more than now, for none, or once there are vCPUs. KVM is held. */
    int limit(int most) {
        assert LockRank.Held.isHeld(LockRank.KVM);
        if (created > 0 || most < 1 || most > max) {
            return Errno.EINVAL;
        }
        max = most;
        return Errno.OK;
    }

    /** First half of KVM_CREATE_VCPU: OK; EIO or EINVAL where it is refused. */
    int begin() {
        Lock lock = vm.kvmLock();
        lock.lock();
        try {
            if (vm.isDead() || vm.life().stage() != Stage.INITIALIZED) {
                return Errno.EIO;
            }
            if (created >= max) {
                return Errno.EINVAL;
            }
            created++;
            return Errno.OK;
        } finally {
            lock.unlock();
        }
    }

    /** Second half of KVM_CREATE_VCPU: the vCPU is online. */
    KvmVcpu end() {
        Lock lock = vm.kvmLock();
        lock.lock();
        try {
            KvmVcpu[] before = online;
            KvmVcpu vcpu = new KvmVcpu(vm, host, before.length);
            KvmVcpu[] after = Arrays.copyOf(before, before.length + 1);
            after[before.length] = vcpu;
            online = after;
            return vcpu;
        } finally {
            lock.unlock();
        }
    }

    /** KVM_CREATE_VCPU fails half-way: nobody will ever know of that vCPU. */
    void abandon() {
        Lock lock = vm.kvmLock();
        lock.lock();
        try {
            created--;
        } finally {
            lock.unlock();
        }
    }

    /** vCPUs, those in creation included. KVM is held. */
    int created() {
        assert LockRank.Held.isHeld(LockRank.KVM);
        return created;
    }

    /** Whether some vCPU is created and not yet online. KVM is held. */
    boolean hasOneInCreation() {
        assert LockRank.Held.isHeld(LockRank.KVM);
        return created != online.length;
    }

    /** Gets every vCPU out of the guest once; returns when each has been outside. */
    void kickAll() {
        KvmVcpu[] all = online;
        for (KvmVcpu vcpu : all) {
            if (vcpu.kick()) {
                vm.stats().count(0, Counter.KICKS);
            }
        }
        for (KvmVcpu vcpu : all) {
            vcpu.awaitOutside();
        }
    }

    /** A CPU goes offline: those that it knows are flushed there, while it still can do it. */
    void leave(HostCpu cpu) {
        for (KvmVcpu vcpu : online) {
            vcpu.leaveCpu(cpu);
        }
    }
}
