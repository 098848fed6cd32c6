// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.mem.PageAllocator;
import dev.seamlab.machine.Gfn;
import dev.seamlab.machine.Pfn;

/**
 * What the MMU asks of TDX when it serves a private fault. One class per variant of when PAMT
 * backing is installed (facts: Linux sheet section 8.1): {@link AtFaultOps} and {@link AtTopupOps}.
 *
 * <p>Order within one attempt: {@link #topUp} and {@link #prepareLeaf} without the MMU lock; {@link
 * #takeTable}, {@link #linkTable} and {@link #setLeaf} with MMU held for reading and the entry
 * frozen; {@link #settle} when MMU is let go again. All by the thread that runs the vCPU.
 */
interface ExternalSptOps {
    /**
     * Fills the vCPU's caches for one attempt; may allocate.
     *
     * @return OK, ENOMEM or EIO
     */
    int topUp(HostCpu cpu, KvmVcpu vcpu);

    /**
     * What can be done for a leaf once its page is known; may allocate.
     *
     * @param level that the page will be mapped at
     * @return OK, ENOMEM or EIO
     */
    int prepareLeaf(HostCpu cpu, KvmVcpu vcpu, int level, @Pfn long page);

    /** Takes back what {@link #prepareLeaf} did for a page that was not mapped in the end. */
    void settle(HostCpu cpu, KvmVcpu vcpu, @Pfn long page);

    /** A page for a table, or {@link PageAllocator#NONE}. It counts as SEPT from here on. */
    @Pfn
    long takeTable(KvmVcpu vcpu);

    /** Frees a page of {@link #takeTable} that could not be linked. */
    void freeTable(HostCpu cpu, @Pfn long table);

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
     * @param gfn first page of what the leaf covers
     * @return OK; EBUSY to have the fault tried again; E2BIG to have it tried at 4K; ENOMEM or EIO
     */
    int setLeaf(HostCpu cpu, KvmVcpu vcpu, @Gfn long gfn, int level, @Pfn long page);

    /** The vCPU is freed: gives its caches back. */
    void drain(HostCpu cpu, KvmVcpu vcpu);

    /** Table pages with backing that wait in the vCPU's cache. */
    int readyTables(KvmVcpu vcpu);
}
