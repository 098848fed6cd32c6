// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

import dev.seamlab.host.HostPolicy;
import dev.seamlab.host.Preset;
import dev.seamlab.host.kernel.KernelLog;
import dev.seamlab.machine.profile.MachineProfile;
import dev.seamlab.seam.SeamcallListener;

/**
 * How a host is started.
 *
 * @param profile the machine
 * @param policy which variants the host runs; Dynamic PAMT falls back to static where the module
 *     has none, as the kernel does
 * @param log receives the lines of the kernel log
 * @param seamcalls is told of every completed SEAMCALL
 */
public record VmmOptions(
        MachineProfile profile, HostPolicy policy, KernelLog log, SeamcallListener seamcalls) {
    /** A host with the variants of a preset. */
    public VmmOptions(MachineProfile profile, Preset preset) {
        this(profile, preset.policy(), KernelLog.SILENT, SeamcallListener.NONE);
    }

    /** A host with the default variants, or with static PAMT. */
    public VmmOptions(MachineProfile profile, boolean dynamicPamt) {
        this(profile, dynamicPamt ? Preset.DEFAULT : Preset.STATIC);
    }
}
