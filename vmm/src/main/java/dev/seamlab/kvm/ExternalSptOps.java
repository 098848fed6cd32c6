// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.machine.Gfn;
import dev.seamlab.machine.Pfn;

/**
 * What the MMU asks of TDX when it changes the mirror, under MMU held for reading and with the
 * entry frozen. One class per variant of when PAMT backing is installed.
 */
interface ExternalSptOps {
    /**
     * Links a table into the Secure EPT.
     *
     * @param level of the entry that will point at the table
     * @return OK; EBUSY to have the fault tried again; ENOMEM or EIO
     */
    int linkTable(HostCpu cpu, KvmVcpu vcpu, @Gfn long gfn, int level, @Pfn long table);

    /**
     * Maps a guest page.
     *
     * @return OK; EBUSY to have the fault tried again; ENOMEM or EIO
     */
    int setLeaf(HostCpu cpu, KvmVcpu vcpu, @Gfn long gfn, @Pfn long page);
}
