// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.machine.profile;

import java.util.List;

/**
 * Which TDX module the firmware loads: version, features and limits (facts: module ABI sections
 * 4.1, 6.2 and 6.3).
 *
 * @param name how profiles refer to it
 * @param major version, major
 * @param minor version, minor
 * @param update version, update
 * @param features0 TDX_FEATURES0 as SYS.RD reports it
 * @param acceptsDynamicPamt whether SYS.CONFIG honours the Dynamic PAMT flag. A module that sets
 *     bit 36 of features0 but does not honour it is the known odd case
 * @param maxTdmrs TDMRs that SYS.CONFIG takes, 1 to 64
 * @param maxReservedPerTdmr reserved areas per TDMR, 1 to 16
 * @param pamtEntrySize bytes of a PAMT entry at each level
 * @param bitmapBitsPerPage bits per 4K page in the page bitmap of Dynamic PAMT
 * @param tdcsPages pages of a TD's control structure beside the TDR
 * @param tdvpsPages pages of a vCPU's control structure, the TDVPR included
 * @param maxVcpusPerTd limit of vCPUs per TD
 */
public record ModuleProfile(
        String name,
        int major,
        int minor,
        int update,
        long features0,
        boolean acceptsDynamicPamt,
        int maxTdmrs,
        int maxReservedPerTdmr,
        int pamtEntrySize,
        int bitmapBitsPerPage,
        int tdcsPages,
        int tdvpsPages,
        int maxVcpusPerTd) {

    /** TDX_FEATURES0 bit: a TD can verify the reports of others on the same host. */
    public static final int FEATURE_LOCAL_ATTESTATION = 8;

    /** TDX_FEATURES0 bit: the module does not touch RBP; Linux requires it. */
    public static final int FEATURE_NO_RBP_MOD = 18;

    /** TDX_FEATURES0 bit: Dynamic PAMT. */
    public static final int FEATURE_DYNAMIC_PAMT = 36;

    /**
     * Features of 1.5.25: bits 0-5, 7, 9-11, 16-21, 24-27, 29, 30, 33, 36, 37, 40, 44, 46, 47
     * (facts: section 6.3). Bit 8 (LOCAL_ATTESTATION) depends on the CPU and is set, as on a
     * Sapphire Rapids.
     */
    private static final long FEATURES_1_5_25 =
            bits(
                    0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 16, 17, 18, 19, 20, 21, 24, 25, 26, 27, 29,
                    30, 33, 36, 37, 40, 44, 46, 47);

    /** The reference of this model: 1.5.25, with Dynamic PAMT. */
    public static final ModuleProfile V1_5_25 =
            new ModuleProfile("1.5.25", 1, 5, 25, FEATURES_1_5_25, true, 64, 16, 16, 1, 6, 6, 576);

    /**
     * 1.5.16, which has no Dynamic PAMT. Its other feature bits were not available to us; they are
     * taken to be those of 1.5.25 without Dynamic PAMT.
     */
    public static final ModuleProfile V1_5_16 =
            new ModuleProfile(
                    "1.5.16",
                    1,
                    5,
                    16,
                    FEATURES_1_5_25 & ~bits(FEATURE_DYNAMIC_PAMT),
                    false,
                    64,
                    16,
                    16,
                    1,
                    6,
                    6,
                    576);

    /** Advertises Dynamic PAMT, and answers OPERAND_INVALID when SYS.CONFIG asks for it. */
    public static final ModuleProfile ADVERTISES_ONLY =
            new ModuleProfile(
                    "1.5.25-advertises-only",
                    1,
                    5,
                    25,
                    FEATURES_1_5_25,
                    false,
                    64,
                    16,
                    16,
                    1,
                    6,
                    6,
                    576);

    /** Every module that a profile can name. */
    public static final List<ModuleProfile> ALL = List.of(V1_5_25, V1_5_16, ADVERTISES_ONLY);

    /** Whether a bit of TDX_FEATURES0 is set. */
    public boolean hasFeature(int bit) {
        return (features0 >>> bit & 1) != 0;
    }

    private static long bits(int... numbers) {
        long word = 0;
        for (int number : numbers) {
            word |= 1L << number;
        }
        return word;
    }
}
