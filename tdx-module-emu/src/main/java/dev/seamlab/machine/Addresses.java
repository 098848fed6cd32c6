// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.machine;

/**
 * The only place where one unit of address becomes another. Everything here inlines to a shift or a
 * mask.
 */
public final class Addresses {
    public static final int PAGE_SHIFT = 12;
    public static final int RANGE_SHIFT = 21;
    public static final int GIB_SHIFT = 30;
    public static final long PAGE_SIZE = 1L << PAGE_SHIFT;
    public static final long RANGE_SIZE = 1L << RANGE_SHIFT;
    public static final long GIB = 1L << GIB_SHIFT;

    /** 4K pages of one 2 MiB range: the unit of PAMT backing. */
    public static final int PAGES_PER_RANGE = 1 << (RANGE_SHIFT - PAGE_SHIFT);

    /** The architecture's limit for physical addresses, KeyID bits included. */
    public static final int MAX_PHYSICAL_BITS = 52;

    private Addresses() {}

    /** Page frame number of a page-aligned address. */
    public static @Pfn long pfn(@Hpa long hpa) {
        assert isAligned(hpa, PAGE_SIZE) : "not page aligned: " + show(hpa);
        return hpa >>> PAGE_SHIFT;
    }

    /** Address of the first byte of a page frame. */
    public static @Hpa long hpa(@Pfn long pfn) {
        return pfn << PAGE_SHIFT;
    }

    /** Guest page frame number of any guest address. */
    public static @Gfn long gfn(@Gpa long gpa) {
        return gpa >>> PAGE_SHIFT;
    }

    /** Guest physical address of a guest page frame. */
    public static @Gpa long gpa(@Gfn long gfn) {
        return gfn << PAGE_SHIFT;
    }

    /**
     * Index of the 2 MiB range that holds a page: the unit of PAMT backing and of the refcounts.
     */
    public static int rangeOf(@Pfn long pfn) {
        return (int) (pfn >>> (RANGE_SHIFT - PAGE_SHIFT));
    }

    /** Address of the first byte of a 2 MiB range. */
    public static @Hpa long rangeBase(int range) {
        return ((long) range) << RANGE_SHIFT;
    }

    /** Rounds down to a multiple of {@code unit}, a power of two. */
    public static long alignDown(long address, long unit) {
        return address & -unit;
    }

    /** Rounds up to a multiple of {@code unit}, a power of two. */
    public static long alignUp(long address, long unit) {
        return (address + unit - 1) & -unit;
    }

    /** Whether an address is a multiple of {@code unit}, a power of two. */
    public static boolean isAligned(long address, long unit) {
        return (address & (unit - 1)) == 0;
    }

    /** The one way an address is printed: {@code 0x0000_0040_1234_5000}. */
    public static String show(long address) {
        String hex = String.format("%016x", address);
        return "0x"
                + hex.substring(0, 4)
                + "_"
                + hex.substring(4, 8)
                + "_"
                + hex.substring(8, 12)
                + "_"
                + hex.substring(12);
    }
}
