// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.md;

/**
 * Values that the real module derives from CPUID and MSRs. The emulated CPU imitates a Sapphire
 * Rapids server without TSX and LASS (facts: module ABI sections 6.2 and 9).
 */
public final class PlatformValues {
    /** Family, model, stepping: CPUID(1).EAX. */
    public static final int FMS = 0x806F8;

    /** ATTRIBUTES bits that a TD may set: {0, 16, 28, 29, 30, 63}; 27 (LASS) needs the CPU. */
    public static final long ATTRIBUTES_FIXED0 =
            1L | 1L << 16 | 1L << 28 | 1L << 29 | 1L << 30 | 1L << 63;

    /** XFAM bits that a TD may set. */
    public static final long XFAM_FIXED0 = 0x6DBE7;

    /** XFAM bits that a TD must set: x87 and SSE. */
    public static final long XFAM_FIXED1 = 0x3;

    /** CONFIG_FLAGS bits that a TD may set. */
    public static final long CONFIG_FLAGS_FIXED0 = 0x1F;

    /** IA32_ARCH_CAPABILITIES bits that a TD may configure. */
    public static final long ARCH_CAPABILITIES_CONFIG_MASK =
            1L << 4 | 1L << 19 | 1L << 20 | 1L << 24;

    /** Narrowest virtual MAXPA. */
    public static final int MIN_VIRTUAL_MAXPA = 45;

    /** Event filters that MNG.INIT takes. */
    public static final int MAX_EVENT_FILTERS = 512;

    private PlatformValues() {}
}
