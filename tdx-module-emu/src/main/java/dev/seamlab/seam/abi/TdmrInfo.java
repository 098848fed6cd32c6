// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.abi;

import dev.seamlab.machine.Hpa;
import dev.seamlab.machine.PhysicalMemory;

/**
 * TDMR_INFO, the structure from which SYS.CONFIG learns one TDMR (facts: module ABI section 4.2).
 *
 * <pre>
 *     0 base          8 size
 *    16 PAMT_1G base 24 size   32 PAMT_2M base 40 size   48 PAMT_4K base 56 size
 *    64 + 16 i       reserved area i: offset from the TDMR's base, size; size 0 ends the list
 * </pre>
 *
 * With Dynamic PAMT the PAMT_4K pair describes the page bitmap.
 */
public final class TdmrInfo {
    /** Alignment of the structure in memory. */
    public static final int ALIGNMENT = 512;

    /** Reserved areas that the structure has room for. */
    public static final int RESERVED_AREAS = 16;

    /** Bytes, reserved areas included. */
    public static final int SIZE = 64 + 16 * RESERVED_AREAS;

    private static final int BASE = 0;
    private static final int BYTES = 8;
    private static final int PAMT = 16;
    private static final int RESERVED = 64;

    private TdmrInfo() {}

    public static @Hpa long base(PhysicalMemory memory, @Hpa long info) {
        return memory.readLong(info + BASE);
    }

    public static long size(PhysicalMemory memory, @Hpa long info) {
        return memory.readLong(info + BYTES);
    }

    /** Base of the PAMT area of a level (see {@link PageInfo}). */
    public static @Hpa long pamtBase(PhysicalMemory memory, @Hpa long info, int level) {
        return memory.readLong(pamtAt(info, level));
    }

    /** Size of the PAMT area of a level in bytes. */
    public static long pamtSize(PhysicalMemory memory, @Hpa long info, int level) {
        return memory.readLong(pamtAt(info, level) + 8);
    }

    /** Offset of reserved area {@code i} from the TDMR's base. */
    public static long reservedOffset(PhysicalMemory memory, @Hpa long info, int i) {
        return memory.readLong(info + RESERVED + 16L * i);
    }

    /** Size of reserved area {@code i} in bytes; 0 ends the list. */
    public static long reservedSize(PhysicalMemory memory, @Hpa long info, int i) {
        return memory.readLong(info + RESERVED + 16L * i + 8);
    }

    public static void writeRange(
            PhysicalMemory memory, @Hpa long info, @Hpa long base, long size) {
        memory.writeLong(info + BASE, base);
        memory.writeLong(info + BYTES, size);
    }

    public static void writePamt(
            PhysicalMemory memory, @Hpa long info, int level, @Hpa long base, long size) {
        memory.writeLong(pamtAt(info, level), base);
        memory.writeLong(pamtAt(info, level) + 8, size);
    }

    public static void writeReserved(
            PhysicalMemory memory, @Hpa long info, int i, long offset, long size) {
        memory.writeLong(info + RESERVED + 16L * i, offset);
        memory.writeLong(info + RESERVED + 16L * i + 8, size);
    }

    /** The three areas stand in the order 1G, 2M, 4K. */
    private static @Hpa long pamtAt(@Hpa long info, int level) {
        return info + PAMT + 16L * (PageInfo.LEVEL_1G - level);
    }
}
