// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.tdh;

import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Hpa;
import dev.seamlab.machine.Pfn;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.Status;
import java.util.Collections;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** TDH.PHYMEM.*: physical pages and caches. Operands: facts, module ABI sections 1.6 and 5. */
public final class PhymemLeaves {
    private final Seamcall seamcall;
    private final int keyIdShift;
    private final Set<Long> pairsKept = ConcurrentHashMap.newKeySet();
    private volatile PairListener pairs = PairListener.NONE;

    /**
     * @param keyIdShift lowest address bit that carries the KeyID
     */
    PhymemLeaves(Seamcall seamcall, int keyIdShift) {
        this.seamcall = seamcall;
        this.keyIdShift = keyIdShift;
    }

    /** From now on this listener is told of page pairs. */
    public void setPairListener(PairListener listener) {
        pairs = listener;
    }

    /** Writes back this package's caches; resumes an interrupted call where told so. */
    public long cacheWb(HostCpu cpu, boolean resume) {
        cpu.regs().rcx(resume ? 1 : 0);
        return seamcall.call(cpu, Leaf.PHYMEM_CACHE_WB);
    }

    /** Writes back and invalidates the cache lines of one free page under a KeyID. */
    public long pageWbinvd(HostCpu cpu, @Hpa long page, int hkid) {
        cpu.regs().rcx(page | ((long) hkid << keyIdShift));
        return seamcall.call(cpu, Leaf.PHYMEM_PAGE_WBINVD);
    }

    /**
     * Takes a page back from a TD that is torn down. Out: RCX type, RDX owner, R8 level, R9 hint.
     */
    public long pageReclaim(HostCpu cpu, @Hpa long page) {
        cpu.regs().rcx(page);
        return seamcall.call(cpu, Leaf.PHYMEM_PAGE_RECLAIM);
    }

    /**
     * Reads the metadata of a page. Out: RCX type (bit 63: has a page pair), RDX owner, R8 level
     * found, R9 blocking epoch, R10 and R11 the page pair.
     *
     * @param level where to look; above 4K only with Dynamic PAMT
     */
    public long pageRdmd(HostCpu cpu, @Hpa long page, int level) {
        cpu.regs().rcx(PageInfo.ofHpa(page, level));
        return seamcall.call(cpu, Leaf.PHYMEM_PAGE_RDMD);
    }

    /** Installs a page pair for the 2 MiB range that holds a page. */
    public long pamtAdd(HostCpu cpu, @Pfn long pfn, @Pfn long page0, @Pfn long page1) {
        cpu.regs().rcx(rangeOperand(pfn)).rdx(Addresses.hpa(page0)).r8(Addresses.hpa(page1));
        long status = seamcall.call(cpu, Leaf.PHYMEM_PAMT_ADD);
        if (status == Status.SUCCESS) {
            pairs.added(cpu, pfn);
        }
        return status;
    }

    /** Takes the page pair of the range that holds a page. Out: RDX and R8, the two pages. */
    public long pamtRemove(HostCpu cpu, @Pfn long pfn) {
        cpu.regs().rcx(rangeOperand(pfn));
        long status = seamcall.call(cpu, Leaf.PHYMEM_PAMT_REMOVE);
        if (status == Status.SUCCESS) {
            pairs.removed(cpu, pfn);
            if (!pairsKept.isEmpty()) {
                pairsKept.remove(pfn & -Addresses.PAGES_PER_RANGE);
            }
        } else {
            pairsKept.add(pfn & -Addresses.PAGES_PER_RANGE);
        }
        return status;
    }

    /** Ranges, by first page, whose pair the module was asked for and did not give back. */
    public Set<Long> pairsKept() {
        return Collections.unmodifiableSet(pairsKept);
    }

    /** The address is rounded, not the frame number: mixing up the two was R-10. */
    private static long rangeOperand(@Pfn long pfn) {
        long base = Addresses.alignDown(Addresses.hpa(pfn), Addresses.RANGE_SIZE);
        return PageInfo.ofHpa(base, PageInfo.LEVEL_2M);
    }
}
