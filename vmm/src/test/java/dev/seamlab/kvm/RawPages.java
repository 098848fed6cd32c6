// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.machine.Addresses;
import dev.seamlab.seam.abi.PageInfo;

/** Pages offered to a TD past KVM. */
public final class RawPages {
    private RawPages() {}

    /** TDH.MEM.PAGE.AUG of a page whose backing is the caller's business. */
    public static long aug(KvmTdx vm, HostCpu cpu, long gpa, long pfn) {
        return vm.host()
                .tdh()
                .mem()
                .pageAug(cpu, vm.tdr(), gpa, PageInfo.LEVEL_4K, Addresses.hpa(pfn));
    }
}
