// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import org.jspecify.annotations.Nullable;

/**
 * What is locked while a step runs that moves a TD to another state or needs it to stay in one.
 * {@link VmStateGuard} is how the kernel does it since 6.19; how it was before is for the museum.
 */
@FunctionalInterface
interface StateGuard {
    /** A step to be done with everything locked. */
    interface Step {
        int run();
    }

    /**
     * Runs a step with its locks held.
     *
     * @param vcpu the vCPU that the ioctl was called on, null for the VM
     * @return what the step returned, or EBUSY where the locks cannot be had
     */
    int with(KvmTdx vm, @Nullable KvmVcpu vcpu, Step step);
}
