// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

/**
 * Holds SLOTS, where the world may not be stopped, as the kernel's guard(mutex)(&kvm->slots_lock)
 * does. One for each VM, since only one thread can hold it: a conversion is not to make garbage.
 */
final class SlotsGuard implements AutoCloseable {
    private final KvmTdx vm;

    SlotsGuard(KvmTdx vm) {
        this.vm = vm;
    }

    /** Takes SLOTS; to be closed by the same thread. */
    SlotsGuard hold() {
        vm.slotsLock().lock();
        vm.host().stopMachine().enter();
        return this;
    }

    @Override
    public void close() {
        vm.host().stopMachine().leave();
        vm.slotsLock().unlock();
    }
}
