// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.host;

import dev.seamlab.control.call.TrustDomainName;
import dev.seamlab.host.HostMemoryReport;
import dev.seamlab.machine.Addresses;
import dev.seamlab.v1.KeyIds;
import dev.seamlab.v1.MemoryReport;
import dev.seamlab.v1.PamtCauses;
import dev.seamlab.v1.PamtUsage;
import dev.seamlab.v1.TrustDomainMemory;
import dev.seamlab.v1.TrustDomainMemoryEntry;
import dev.seamlab.vmm.HostMemory;
import dev.seamlab.vmm.PamtShare;
import dev.seamlab.vmm.TdMemory;
import dev.seamlab.vmm.TrustDomain;
import dev.seamlab.vmm.Vmm;
import java.util.Comparator;

/** From where the memory goes to what clients see of it. */
public final class MemoryMapper {
    /** Bytes of static PAMT for one 4K page (facts: module ABI section 6.2). */
    static final long PAMT_ENTRY_BYTES = 16;

    private MemoryMapper() {}

    /** Where the memory of a host goes. */
    static MemoryReport memoryReport(Vmm vmm) {
        HostMemory memory = vmm.memory();
        MemoryReport.Builder proto =
                MemoryReport.newBuilder()
                        .setPamt(pamt(vmm, memory))
                        .setTotalBytes(memory.totalBytes())
                        .setFreeBytes(memory.freeBytes())
                        .setKeyIds(keyIds(memory));
        vmm.list().stream()
                .sorted(Comparator.comparing(TrustDomain::id))
                .forEach(td ->
                        proto.addTrustDomains(
                                TrustDomainMemoryEntry.newBuilder()
                                        .setName(TrustDomainName.of(td.id()))
                                        .setMemory(toProto(td.memory(), td.spec().memoryBytes()))));
        return proto.build();
    }

    /**
     * The memory of a trust domain.
     *
     * @param guestBytes its memory size
     */
    public static TrustDomainMemory toProto(TdMemory memory, long guestBytes) {
        return TrustDomainMemory.newBuilder()
                .setPrivatePages(memory.privatePages())
                .setGuestMemfdPages(memory.guestMemfdPages())
                .setSharedPages(memory.sharedPages())
                .setSeptPages(memory.septPages())
                .setControlPages(memory.controlPages())
                .setPoolPages(memory.poolPages())
                .setLeakedPages(memory.leakedPages())
                .setDynamicPamtBytes(memory.pamt().totalBytes())
                .setDynamicByCause(toProto(memory.pamt()))
                .setStaticPamtEquivalentBytes(guestBytes / Addresses.PAGE_SIZE * PAMT_ENTRY_BYTES)
                .build();
    }

    /** Page pairs by cause. */
    public static PamtCauses toProto(PamtShare share) {
        return PamtCauses.newBuilder()
                .setControlBytes(share.controlBytes())
                .setSeptBytes(share.septBytes())
                .setGuestBytes(share.guestBytes())
                .build();
    }

    /** KeyIDs for guests. */
    static KeyIds keyIds(HostMemory memory) {
        return KeyIds.newBuilder()
                .setTotal(memory.guestKeyIds())
                .setUsed(memory.guestKeyIdsInUse())
                .setFree(memory.guestKeyIds() - memory.guestKeyIdsInUse())
                .build();
    }

    /** What PAMT costs the host. */
    public static PamtUsage pamt(Vmm vmm, HostMemory memory) {
        HostMemoryReport report = vmm.host().memoryReport();
        return PamtUsage.newBuilder()
                .setLevel1GBytes(report.pamt1gBytes())
                .setLevel2MBytes(report.pamt2mBytes())
                .setLevel4KBytes(report.pamt4kBytes() + report.pamtBitmapBytes())
                .setDynamicBytes(report.pamtDynamicBytes())
                .setDynamicByCause(toProto(memory.pamt()))
                .setBackedRanges(memory.backedRanges())
                .setRefcountBytes(memory.refcountBytes())
                .setStaticEquivalentBytes(memory.staticEquivalentBytes())
                .build();
    }
}
