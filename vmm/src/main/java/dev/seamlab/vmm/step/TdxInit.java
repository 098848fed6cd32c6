// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm.step;

import java.util.List;

/**
 * What KVM_TDX_INIT_VM takes.
 *
 * @param mrConfigId 48 bytes, as the other two
 * @param maxVcpus KVM_CAP_MAX_VCPUS before it; 0 leaves that
 * @param hwError on the way in
 * @param flags of the command
 */
@SuppressWarnings("ArrayRecordComponent") // Handed on as it came; never compared.
public record TdxInit(
        long attributes,
        long xfam,
        byte[] mrConfigId,
        byte[] mrOwner,
        byte[] mrOwnerConfig,
        List<StepVmView.Cpuid> cpuid,
        int maxVcpus,
        long hwError,
        int flags) {
    public TdxInit {
        cpuid = List.copyOf(cpuid);
    }
}
