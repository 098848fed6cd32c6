// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host;

import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.mem.PageAllocator;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.host.pamt.RangeRefcounts;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Pfn;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.PageType;
import dev.seamlab.seam.abi.Status;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Recomputes the host's invariants from ground truth: the page allocator's bitmaps, the refcounts,
 * and what the module itself says about each page (PHYMEM.PAGE.RDMD). Only for a host at rest,
 * where nobody is inside get, put or a fault.
 *
 * <ul>
 *   <li>Each page belongs to exactly one of allocator, host and module, and the module uses it for
 *       what the host gave it for.
 *   <li>The refcount of a range is the number of its 4K pages that the module owns (I4). A page
 *       that the host leaked on purpose keeps its count, whatever the module thinks of it; and a
 *       range whose pair the module would not give back keeps one.
 *   <li>A range has a page pair exactly if its refcount is above zero (I1, I2), and the pairs are
 *       all the pages that the host counts as pairs.
 *   <li>The allocator's books balance.
 * </ul>
 */
public final class HostAuditor {
    private static final int MAX_FINDINGS = 100;
    private static final long NON_LEAF = 1L << 63;
    private static final int TYPE_MASK = 0xF;
    private static final long RANGE_PFN_MASK = -Addresses.PAGES_PER_RANGE;

    private final TdxHost host;
    private final List<String> findings = new ArrayList<>();
    private final Set<Long> pairPages = new HashSet<>();
    private final Map<Long, Integer> ownedByRange = new HashMap<>();
    private int suppressed;

    private HostAuditor(TdxHost host) {
        this.host = host;
    }

    /** Audits a host at rest. Returns a sentence per finding; an empty list is a clean host. */
    public static List<String> audit(TdxHost host) {
        return new HostAuditor(host).run();
    }

    private List<String> run() {
        checkBooks();
        HostCpu cpu = host.cpus().claimAny();
        try {
            host.refcounts().ifPresent(counts -> checkPairs(cpu, counts));
            host.pages().forEachPage((pfn, use) -> checkPage(cpu, pfn, use));
        } finally {
            host.cpus().release(cpu);
        }
        host.refcounts().ifPresent(this::checkCounts);
        if (suppressed > 0) {
            findings.add(suppressed + " further findings are not listed");
        }
        return List.copyOf(findings);
    }

    private void checkBooks() {
        PageAllocator pages = host.pages();
        pages.check((pfn, what) -> report("allocator at " + show(pfn) + ": " + what));
        long used = pages.usedPages().values().stream().mapToLong(Long::longValue).sum();
        if (used + pages.freePages() != pages.totalPages()) {
            report(
                    "the host has "
                            + pages.totalPages()
                            + " pages, but "
                            + used
                            + " used and "
                            + pages.freePages()
                            + " free ones");
        }
    }

    /** I1 and I2: a pair exactly where the count says so, made of pages the host gave for it. */
    private void checkPairs(HostCpu cpu, RangeRefcounts counts) {
        counts.forEachTouched((pfn, count) -> checkPair(cpu, pfn, count));
        long counted = host.pages().usedPages(PageUse.PAMT_PAIR);
        if (counted != pairPages.size()) {
            report(
                    "the host counts "
                            + counted
                            + " pages in PAMT page pairs, the module has "
                            + pairPages.size());
        }
    }

    private void checkPair(HostCpu cpu, @Pfn long pfn, int count) {
        if (count < 0) {
            report("the refcount of " + show(pfn) + " is " + count);
        }
        long status = host.tdh().phymem().pageRdmd(cpu, Addresses.hpa(pfn), PageInfo.LEVEL_2M);
        boolean backed = status == Status.SUCCESS && (cpu.regs().rcx() & NON_LEAF) != 0;
        if (backed != count > 0) {
            report(
                    "the refcount of "
                            + show(pfn)
                            + " is "
                            + count
                            + ", but the range has "
                            + (backed ? "a" : "no")
                            + " page pair");
        }
        if (backed) {
            notePairPage(pfn, Addresses.pfn(cpu.regs().r10()));
            notePairPage(pfn, Addresses.pfn(cpu.regs().r11()));
        }
    }

    private void notePairPage(@Pfn long range, @Pfn long page) {
        if (!pairPages.add(page)) {
            report("page " + show(page) + " is in two page pairs, once in that of " + show(range));
        } else if (!host.pages().manages(page) || host.pages().useOf(page) != PageUse.PAMT_PAIR) {
            report(
                    "page "
                            + show(page)
                            + " is in the page pair of "
                            + show(range)
                            + ", and the host does not know");
        }
    }

    /** The module owns a page exactly if the host gave it, and for what the host gave it. */
    private void checkPage(HostCpu cpu, @Pfn long pfn, @Nullable PageUse use) {
        if (use == PageUse.PAMT_STATIC) {
            // Reserved in its TDMR; the module answers for such pages as it likes.
            return;
        }
        long status = host.tdh().phymem().pageRdmd(cpu, Addresses.hpa(pfn), PageInfo.LEVEL_4K);
        if (status != Status.SUCCESS) {
            report("metadata of page " + show(pfn) + " cannot be read: " + Status.show(status));
            return;
        }
        PageType type = PageType.of((int) cpu.regs().rcx() & TYPE_MASK);
        boolean as4k = (int) cpu.regs().r8() == PageInfo.LEVEL_4K;
        if (!fits(use, type)) {
            report(
                    "page "
                            + show(pfn)
                            + " is "
                            + (use == null ? "free" : use)
                            + " to the host and "
                            + type
                            + " to the module");
        }
        if (use == PageUse.LEAKED || (as4k && isOwned(type))) {
            ownedByRange.merge(pfn & RANGE_PFN_MASK, 1, Integer::sum);
        }
    }

    private static boolean fits(@Nullable PageUse use, PageType type) {
        if (use == null) {
            return type == PageType.NDA;
        }
        return switch (use) {
            case CONTROL -> type == PageType.TDR || type == PageType.TDCX || type == PageType.TDVPR;
            case SEPT -> type == PageType.EPT;
            // guest_memfd keeps pages that are not, or no longer, mapped.
            case GUEST_PRIVATE -> type == PageType.REG || type == PageType.NDA;
            case PAMT_PAIR -> type == PageType.PAMT;
            case PAMT_STATIC, LEAKED -> true;
            case HOST, REFCOUNTS, GUEST_SHARED, BUFFER, POOL, RESIDENT -> type == PageType.NDA;
        };
    }

    private static boolean isOwned(PageType type) {
        return switch (type) {
            case TDR, TDCX, TDVPR, EPT, REG -> true;
            case NDA, RSVD, PAMT -> false;
        };
    }

    /** I4: one count for each 4K page that the module owns. */
    private void checkCounts(RangeRefcounts counts) {
        counts.forEachTouched((pfn, count) -> {
            int owned = ownedByRange.getOrDefault(pfn, 0);
            // A put that could not take the pair back left its count behind.
            int left = host.tdh().phymem().pairsKept().contains(pfn) ? 1 : 0;
            if (owned + left != count) {
                report(
                        "the refcount of "
                                + show(pfn)
                                + " is "
                                + count
                                + ", but the module owns "
                                + owned
                                + " of its 4K pages");
            }
        });
    }

    private void report(String finding) {
        if (findings.size() < MAX_FINDINGS) {
            findings.add(finding);
        } else {
            suppressed++;
        }
    }

    private static String show(@Pfn long pfn) {
        return Addresses.show(Addresses.hpa(pfn));
    }
}
