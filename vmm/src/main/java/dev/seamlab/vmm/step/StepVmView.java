// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm.step;

import dev.seamlab.machine.Gpa;
import java.util.List;

/**
 * A virtual machine at one moment.
 *
 * @param keyId private KeyID, or 0
 * @param privatePages guest pages that the module holds for it
 */
public record StepVmView(
        String id,
        boolean isTdx,
        State state,
        int vcpus,
        int keyId,
        List<Region> regions,
        long privatePages) {
    /** Where a TDX machine is in its life. */
    public enum State {
        /** An ordinary machine, which has no such life. */
        ORDINARY,
        /** Before KVM_TDX_INIT_VM. */
        UNINITIALIZED,
        /** After KVM_TDX_INIT_VM. */
        INITIALIZED,
        /** After KVM_TDX_FINALIZE_VM. */
        RUNNABLE,
        /** After KVM_TDX_TERMINATE_VM. */
        TERMINATED,
        /** Given up by KVM. */
        DEAD
    }

    /** A memory slot; bytes. */
    public record Region(int slot, @Gpa long gpa, long size) {}

    /** A vCPU; {@code cpu} is -1 where the module associates it with none. */
    public record VcpuView(String vm, int index, boolean isInitialised, int cpu) {}

    /**
     * A leaf or subleaf of CPUID.
     *
     * @param isIndexed whether the subleaf matters
     */
    public record Cpuid(
            int function, int index, boolean isIndexed, int eax, int ebx, int ecx, int edx) {}

    /**
     * What KVM_TDX_CAPABILITIES fills in.
     *
     * @param kernelTdvmcalls TDVMCALLs that KVM serves itself: R11 and R12 of GetTdVmCallInfo, leaf
     *     1
     * @param userTdvmcalls those that it hands to user space
     */
    public record TdxCapabilities(
            long attributes,
            long xfam,
            List<Long> kernelTdvmcalls,
            List<Long> userTdvmcalls,
            List<Cpuid> cpuid) {}

    /** How far an ioctl came that works page by page: the next address, and what is left. */
    public record Progress(@Gpa long gpa, long left) {}
}
