// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.mem;

/**
 * What a host page is used for. Every page that is not free has exactly one use, and whoever frees
 * it has to name it.
 */
public enum PageUse {
    /** The kernel's own needs, the TDMR array for example. */
    HOST(false),
    /** Counter pages of the PAMT refcounts. */
    REFCOUNTS(false),
    /** The PAMT chunk of a TDMR: with Dynamic PAMT the bitmap and the two upper levels. */
    PAMT_STATIC(true),
    /** One of the two pages that hold the 4K-level entries of a 2 MiB range. */
    PAMT_PAIR(true),
    /** TDR, TDCS, TDVPR and TDCX pages. */
    CONTROL(true),
    /** Secure EPT pages. */
    SEPT(true),
    /** guest_memfd pages that are, or may become, private memory of a TD. */
    GUEST_PRIVATE(true),
    /** Guest memory that host and guest share. */
    GUEST_SHARED(false),
    /** Operand structures of SEAMCALLs, source pages of PAGE.ADD. */
    BUFFER(false),
    /** Kept ready in a vCPU's pool for the fault path. */
    POOL(false),
    /** Whatever else lives on the host, by the machine's fragmentation profile. */
    RESIDENT(false),
    /**
     * Given up on purpose, because the module refused to give it back and may still own it. Such a
     * page keeps its count in the refcount of its range for ever.
     */
    LEAKED(true);

    /** Number of uses. */
    public static final int COUNT = values().length;

    private final boolean mayBelongToModule;

    PageUse(boolean mayBelongToModule) {
        this.mayBelongToModule = mayBelongToModule;
    }

    /** Whether the TDX module may own pages of this use. */
    public boolean mayBelongToModule() {
        return mayBelongToModule;
    }
}
