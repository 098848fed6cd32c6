// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.abi;

import org.jspecify.annotations.Nullable;

/** What a physical page serves as, as PAMT and PHYMEM.PAGE.RDMD number it (facts: section 4.4). */
public enum PageType {
    /** Not assigned: the host may use it. */
    NDA(0),
    /** Lies in a reserved area of its TDMR. */
    RSVD(1),
    /** Private memory of a TD. */
    REG(3),
    /** Root page of a TD; owned by nobody. */
    TDR(4),
    /** Further page of a TD's or a vCPU's control structure. */
    TDCX(5),
    /** Root page of a vCPU. */
    TDVPR(6),
    /** Secure EPT page. */
    EPT(8),
    /**
     * In a 2M entry: the range has a PAMT page pair. Reported for a 4K page that is part of a pair.
     */
    PAMT(15);

    private static final @Nullable PageType[] BY_CODE = new @Nullable PageType[16];

    static {
        for (PageType type : values()) {
            BY_CODE[type.code] = type;
        }
    }

    private final int code;

    PageType(int code) {
        this.code = code;
    }

    /** Number in the PAMT entry, 5 bits. */
    public int code() {
        return code;
    }

    /** The type with this number. Fails on a number that no type has: the metadata is broken. */
    public static PageType of(int code) {
        PageType type = code >= 0 && code < BY_CODE.length ? BY_CODE[code] : null;
        if (type == null) {
            throw new AssertionError("no page type has number " + code);
        }
        return type;
    }
}
