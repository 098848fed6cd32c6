// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.pamt;

import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.tdh.MemLeaves;
import dev.seamlab.host.tdh.PhymemLeaves;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Gpa;
import dev.seamlab.machine.Hpa;
import dev.seamlab.machine.Pfn;
import dev.seamlab.machine.sched.Lock;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.Status;
import org.jspecify.annotations.Nullable;

/**
 * The backing of a guest range whose one 2M leaf becomes 512 leaves of 4K, and back (facts: Linux
 * sheet section 4.12). The pair is handed to DEMOTE itself and comes back from PROMOTE, so the
 * range's count moves between 0 and 512 in one go instead of page by page.
 *
 * <p>Why the PAMT lock is held around both: DEMOTE shares the 2M entries that its two new
 * pair pages lie under, and another TD's PAMT.ADD may want just such an entry for itself. Without
 * the lock one of the two finds it BUSY: R12 or R13 of DEMOTE, or RCX of ADD.
 */
public final class RangeSplits {
    private final PamtBacking backing;
    private final @Nullable RangeRefcounts counts;
    private final MemLeaves module;
    private final PhymemLeaves phymem;
    private final PairPages pages;

    /**
     * @param counts null without Dynamic PAMT: no pair changes hands then
     */
    public RangeSplits(
            PamtBacking backing,
            @Nullable RangeRefcounts counts,
            MemLeaves module,
            PhymemLeaves phymem,
            PairPages pages) {
        this.backing = backing;
        this.counts = counts;
        this.module = module;
        this.phymem = phymem;
        this.pages = pages;
    }

    /** Whether {@link #demote} needs a pair. */
    public boolean needsPair() {
        return counts != null;
    }

    /**
     * TDH.MEM.PAGE.DEMOTE of a 2M leaf.
     *
     * @param table the new Secure EPT page, with backing
     * @param range first page of the leaf
     * @param pair two pages that the module takes on success; not read without Dynamic PAMT
     * @return completion status; on success the range holds 512 counts
     */
    public long demote(
            HostCpu cpu,
            @Hpa long tdr,
            @Gpa long gpa,
            @Pfn long table,
            @Pfn long range,
            @Pfn long[] pair) {
        if (counts == null) {
            return module.pageDemote(cpu, tdr, gpa, Addresses.hpa(table), 0, 0);
        }
        Lock lock = backing.lock();
        lock.lock();
        try {
            long status =
                    module.pageDemote(
                            cpu,
                            tdr,
                            gpa,
                            Addresses.hpa(table),
                            Addresses.hpa(pair[0]),
                            Addresses.hpa(pair[1]));
            if (status == Status.SUCCESS) {
                counts.set(range, Addresses.PAGES_PER_RANGE);
                phymem.pairListener().added(cpu, range);
            }
            return status;
        } finally {
            lock.unlock();
        }
    }

    /**
     * TDH.MEM.PAGE.PROMOTE to a 2M leaf. On success the range holds no count, its pair went back to
     * the page allocator, and RCX has the Secure EPT page that was freed.
     *
     * @param range first page of the leaf
     */
    public long promote(HostCpu cpu, @Hpa long tdr, @Gpa long gpa, @Pfn long range) {
        if (counts == null) {
            return module.pagePromote(cpu, tdr, gpa, PageInfo.LEVEL_2M);
        }
        long status;
        Lock lock = backing.lock();
        lock.lock();
        try {
            status = module.pagePromote(cpu, tdr, gpa, PageInfo.LEVEL_2M);
            if (status == Status.SUCCESS) {
                assert counts.read(range) == Addresses.PAGES_PER_RANGE : "not all pages counted";
                counts.set(range, 0);
                phymem.pairListener().removed(cpu, range);
            }
        } finally {
            lock.unlock();
        }
        if (status == Status.SUCCESS) {
            pages.free(cpu, Addresses.pfn(cpu.regs().r12()), Addresses.pfn(cpu.regs().r13()));
        }
        return status;
    }
}
