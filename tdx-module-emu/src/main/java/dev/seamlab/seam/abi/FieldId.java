// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.abi;

/**
 * A metadata field identifier (facts: module ABI section 6.1).
 *
 * <pre>
 *    63    61   56 54  52 51 50  46       38 37      34 33  32 31      24 23         0
 *   +----+-------+------+--+--+------------+----------+------+----------+------------+
 *   |n.a.| class | ctx  |wm|i2| last field | last el. | size | reserved | field code |
 *   +----+-------+------+--+--+------------+----------+------+----------+------------+
 * </pre>
 *
 * Only class and field code select a field; the leaf overwrites the context.
 */
public final class FieldId {
    /** All ones: "the first field", and "no further field" as an answer. */
    public static final long NULL = -1L;

    /** Context of a field: whose metadata it is. */
    public static final int CONTEXT_SYS = 0;

    public static final int CONTEXT_TD = 1;
    public static final int CONTEXT_VP = 2;

    private static final long CONTEXT_MASK = 0x7L << 52;

    private FieldId() {}

    /** Field code, bits 23:0. */
    public static int code(long id) {
        return (int) (id & 0xFF_FFFF);
    }

    /** The same identifier with another field code. */
    public static long withCode(long id, int code) {
        return (id & ~0xFF_FFFFL) | code;
    }

    /** Class, bits 61:56. */
    public static int fieldClass(long id) {
        return (int) (id >>> 56) & 0x3F;
    }

    /** Size of one element in bytes: 1, 2, 4 or 8. */
    public static int elementBytes(long id) {
        return 1 << ((id >>> 32) & 0x3);
    }

    /** Distance of the codes of two neighbours: 2 where bit 50 is set, as in a VMCS. */
    public static int stride(long id) {
        return (id >>> 50 & 1) != 0 ? 2 : 1;
    }

    /** Context, bits 54:52. */
    public static int context(long id) {
        return (int) (id >>> 52) & 0x7;
    }

    /** The same field in the context that a leaf works on. */
    public static long inContext(long id, int context) {
        return (id & ~CONTEXT_MASK) | ((long) context << 52);
    }

    /** Whether an identifier is the null id, whatever its context bits say. */
    public static boolean isNull(long id) {
        return (id | CONTEXT_MASK) == NULL;
    }

    /** Whether the parts that must be zero in a single-element access are zero. */
    public static boolean isSingleElement(long id) {
        long lastElement = (id >>> 34) & 0xF;
        long lastField = (id >>> 38) & 0x1FF;
        long reserved = (id & 0x4080_0000_FF00_0000L) | (id >>> 47 & 0x7);
        return lastElement == 0 && lastField == 0 && reserved == 0;
    }
}
