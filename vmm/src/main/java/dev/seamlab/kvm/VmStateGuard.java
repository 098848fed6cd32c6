// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.host.kernel.Errno;
import org.jspecify.annotations.Nullable;

/**
 * "All the locks" for a step that moves a TD to another state or needs it to stay in one (Linux
 * 6.19, tdx_vm_state_guard): kvm-&gt;lock, every vCPU's mutex, slots_lock, in this order. Refuses
 * with EBUSY while a vCPU is being created: it would not be among the locked ones.
 *
 * <p>While it is held the world cannot be stopped, so a step is seen by an audit either not at all
 * or in full.
 */
final class VmStateGuard implements AutoCloseable {
    private final KvmTdx vm;
    private final KvmVcpu[] locked;

    private VmStateGuard(KvmTdx vm, KvmVcpu[] locked) {
        this.vm = vm;
        this.locked = locked;
    }

    /** {@link StateGuard}: all the locks, whoever asks. */
    static int with(KvmTdx vm, @Nullable KvmVcpu caller, StateGuard.Step step) {
        vm.kvmLock().lock();
        if (vm.vcpuTable().hasOneInCreation()) {
            vm.kvmLock().unlock();
            return Errno.EBUSY;
        }
        KvmVcpu[] vcpus = vm.vcpus();
        for (KvmVcpu vcpu : vcpus) {
            vcpu.mutex().lock();
        }
        vm.slotsLock().lock();
        vm.host().stopMachine().enter();
        try (VmStateGuard guard = new VmStateGuard(vm, vcpus)) {
            assert guard.locked.length == vm.vcpus().length;
            return step.run();
        }
    }

    @Override
    public void close() {
        vm.host().stopMachine().leave();
        vm.slotsLock().unlock();
        for (int i = locked.length - 1; i >= 0; i--) {
            locked[i].mutex().unlock();
        }
        vm.kvmLock().unlock();
    }
}
