// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.abi;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Gpa;
import dev.seamlab.machine.Hpa;

/**
 * An address with a level in its low bits, as many leaves take it in RCX (facts: section 1.3).
 *
 * <pre>
 *    63      52 51                                    12 11    3 2     0
 *   +----------+----------------------------------------+-------+-------+
 *   | zero     |  address, aligned to the level's size  | zero  | level |
 *   +----------+----------------------------------------+-------+-------+
 * </pre>
 */
public final class PageInfo {
    /** Levels of the EPT and of the PAMT: what one entry there covers. */
    public static final int LEVEL_4K = 0;

    public static final int LEVEL_2M = 1;
    public static final int LEVEL_1G = 2;
    public static final int LEVEL_512G = 3;
    public static final int LEVEL_256T = 4;

    /** All ones: "no page" where an operand is optional. */
    public static final long NULL_PAGE = -1L;

    /** Bit 62 of a returned address: the page pair of that 2M range has no user left. */
    public static final long REMOVAL_HINT = 1L << 62;

    private static final long LEVEL_MASK = 0x7;
    private static final long ADDRESS_MASK = 0x000F_FFFF_FFFF_F000L;

    private PageInfo() {}

    /** Operand for a guest page. */
    public static long ofGpa(@Gpa long gpa, int level) {
        return gpa | level;
    }

    /** Operand for a host page. */
    public static long ofHpa(@Hpa long hpa, int level) {
        return hpa | level;
    }

    /** Level, 0 to 7. */
    public static int level(long operand) {
        return (int) (operand & LEVEL_MASK);
    }

    /** Address, bits 51:12. */
    public static long address(long operand) {
        return operand & ADDRESS_MASK;
    }

    /** Whether every reserved bit is zero. */
    public static boolean reservedBitsAreZero(long operand) {
        return (operand & ~(LEVEL_MASK | ADDRESS_MASK)) == 0;
    }

    /** Bytes that one entry of a level maps. */
    public static long sizeOf(int level) {
        return 1L << shiftOf(level);
    }

    /** Binary logarithm of {@link #sizeOf}. */
    public static int shiftOf(int level) {
        return Addresses.PAGE_SHIFT + 9 * level;
    }
}
