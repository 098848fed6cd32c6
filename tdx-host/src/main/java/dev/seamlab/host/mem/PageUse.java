// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.mem;

import java.util.Locale;

/**
 * What a host page is used for. Every page that is not free has exactly one use, and whoever frees
 * it has to name it.
 */
public enum PageUse {
    /** The kernel's own needs, the TDMR array for example. */
    HOST(false, "the kernel's own needs, the TDMR array for example"),
    /** Counter pages of the PAMT refcounts. */
    REFCOUNTS(false, "counters of pages in TDX use, one per 2 MiB range"),
    /** The PAMT chunk of a TDMR: with Dynamic PAMT the bitmap and the two upper levels. */
    PAMT_STATIC(true, "the PAMT chunk of a TDMR"),
    /** One of the two pages that hold the 4K-level entries of a 2 MiB range. */
    PAMT_PAIR(true, "a page of a PAMT page pair"),
    /** TDR, TDCS, TDVPR and TDCX pages. */
    CONTROL(true, "TDR, TDCS, TDVPR and TDCX pages"),
    /** Secure EPT pages. */
    SEPT(true, "Secure EPT pages, where the pool has none left"),
    /** guest_memfd pages that are, or may become, private memory of a TD. */
    GUEST_PRIVATE(true, "guest_memfd pages"),
    /** Guest memory that host and guest share. */
    GUEST_SHARED(false, "guest memory that host and guest share"),
    /** Operand structures of SEAMCALLs, source pages of PAGE.ADD. */
    BUFFER(false, "operands of SEAMCALLs and source pages of PAGE.ADD"),
    /** Kept ready in a vCPU's pool for the fault path. */
    POOL(false, "filling a vCPU's pool before a fault"),
    /** Whatever else lives on the host, by the machine's fragmentation profile. */
    RESIDENT(false, "whatever else lives on the host; never allocated"),
    /**
     * Given up on purpose, because the module refused to give it back and may still own it. Such a
     * page keeps its count in the refcount of its range for ever.
     */
    LEAKED(true, "pages that the module did not give back; never allocated");

    /** Number of uses. */
    public static final int COUNT = values().length;

    private final boolean mayBelongToModule;
    private final String site = name().toLowerCase(Locale.ROOT).replace('_', '-');
    private final String description;

    PageUse(boolean mayBelongToModule, String description) {
        this.mayBelongToModule = mayBelongToModule;
        this.description = description;
    }

    /** Name of the allocations for this use, for those who make some fail: {@code pamt-pair}. */
    public String site() {
        return site;
    }

    /** What is allocated there, for people. */
    public String description() {
        return description;
    }

    /** Whether the TDX module may own pages of this use. */
    public boolean mayBelongToModule() {
        return mayBelongToModule;
    }
}
