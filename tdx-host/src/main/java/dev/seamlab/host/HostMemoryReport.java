// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host;

import dev.seamlab.host.init.PamtLayout;
import dev.seamlab.host.init.Tdmr;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.host.pamt.RangeRefcounts;
import dev.seamlab.machine.Addresses;
import java.util.Collections;
import java.util.EnumMap;
import java.util.Map;

/**
 * Where a host's memory is, in bytes. Exact when nothing runs; while TDs run, figures of different
 * lines may be a few pages apart.
 *
 * @param memoryBytes RAM that the page allocator manages
 * @param freeBytes of it free
 * @param tdmrBytes addresses that the TDMRs cover, holes included
 * @param dynamicPamt whether Dynamic PAMT is in use
 * @param pamt4kBytes static 4K entries; 0 with Dynamic PAMT
 * @param pamtBitmapBytes page bitmap; 0 with static PAMT
 * @param pamt2mBytes entries of the 2M level
 * @param pamt1gBytes entries of the 1G level
 * @param pamtDynamicBytes page pairs, 8 KiB per backed 2 MiB range
 * @param refcountBytes the kernel's refcounts
 * @param pagesByUse 4K pages by use; every use has an entry
 * @param staticPamtWouldBe what static PAMT costs, or would cost, for the same TDMRs
 * @param keyIdsTotal KeyIDs that guests may have
 * @param keyIdsUsed of them in use
 */
public record HostMemoryReport(
        long memoryBytes,
        long freeBytes,
        long tdmrBytes,
        boolean dynamicPamt,
        long pamt4kBytes,
        long pamtBitmapBytes,
        long pamt2mBytes,
        long pamt1gBytes,
        long pamtDynamicBytes,
        long refcountBytes,
        Map<PageUse, Long> pagesByUse,
        long staticPamtWouldBe,
        int keyIdsTotal,
        int keyIdsUsed) {

    public HostMemoryReport {
        pagesByUse = Collections.unmodifiableMap(new EnumMap<>(pagesByUse));
    }

    static HostMemoryReport of(TdxHost host) {
        long tdmrBytes = 0;
        long slot4k = 0;
        long slot2m = 0;
        long slot1g = 0;
        long wouldBe = 0;
        for (Tdmr tdmr : host.tdmrs()) {
            PamtLayout layout = tdmr.chunk().layout();
            tdmrBytes += tdmr.range().size();
            slot4k += layout.bytes4k();
            slot2m += layout.bytes2m();
            slot1g += layout.bytes1g();
            wouldBe += PamtLayout.of(tdmr.range().size(), host.info().pamt(), false).total();
        }
        Map<PageUse, Long> byUse = host.pages().usedPages();
        boolean dynamic = host.isDynamicPamt();
        return new HostMemoryReport(
                host.pages().totalPages() * Addresses.PAGE_SIZE,
                host.pages().freePages() * Addresses.PAGE_SIZE,
                tdmrBytes,
                dynamic,
                dynamic ? 0 : slot4k,
                dynamic ? slot4k : 0,
                slot2m,
                slot1g,
                byUse.getOrDefault(PageUse.PAMT_PAIR, 0L) * Addresses.PAGE_SIZE,
                host.refcounts().map(RangeRefcounts::bytes).orElse(0L),
                byUse,
                wouldBe,
                host.keyIds().total(),
                host.keyIds().used());
    }

    /** PAMT that is there from boot on. */
    public long pamtStaticBytes() {
        return pamt4kBytes + pamtBitmapBytes + pamt2mBytes + pamt1gBytes;
    }

    /** All PAMT, refcounts included: what TDX metadata costs the host now. */
    public long pamtTotalBytes() {
        return pamtStaticBytes() + pamtDynamicBytes + refcountBytes;
    }

    /** Guests that can still get a KeyID. */
    public int keyIdsFree() {
        return keyIdsTotal - keyIdsUsed;
    }
}
