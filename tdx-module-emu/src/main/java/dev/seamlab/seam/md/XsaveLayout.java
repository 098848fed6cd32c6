// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.md;

/**
 * Where the extended states that a TD may use lie in its save area: compacted, in the order of
 * their numbers, behind the legacy region and the header (Intel SDM volume 1, section 13.4.3).
 * Sizes are those that CPUID leaf 0xD reports for the emulated CPU.
 */
final class XsaveLayout {
    /** Components 0 to 18; 0 and 1 are the legacy region. */
    static final int COMPONENTS = 19;

    /** Component of processor trace. */
    static final int PROCESSOR_TRACE = 8;

    /** Elements of 8 bytes in front of the header, and in front of the extended states. */
    static final int LEGACY_WORDS = 64;

    static final int EXTENDED_WORDS = 72;

    private static final int LEAF = 0xD;
    private static final int EXTENDED_REGION = 576;
    private static final int ALIGNMENT = 64;
    private static final int ALIGNED = 1 << 1;

    private XsaveLayout() {}

    /** XBUFF_SIZE. */
    static int size(long xfam) {
        return offset(xfam, COMPONENTS);
    }

    /** XBUFF_OFFSETS: offset of a component, 0 where the TD does not have it. */
    static int offsetOf(long xfam, int component) {
        boolean present = component >= 2 && (xfam >>> component & 1) != 0;
        return present ? offset(xfam, component) : 0;
    }

    /** Bytes of the standard format that the user states need: ECX of CPUID leaf 0xD. */
    static int standardSize(long userStates) {
        int size = EXTENDED_REGION;
        for (int i = 2; i < COMPONENTS; i++) {
            if ((userStates >>> i & 1) != 0) {
                CpuidTable.Leaf leaf = leaf(i);
                size = Math.max(size, leaf.cpu(0) + leaf.cpu(1));
            }
        }
        return size;
    }

    /** Where a component begins, or would. */
    private static int offset(long xfam, int component) {
        int at = EXTENDED_REGION;
        for (int i = 2; i <= component && i < COMPONENTS; i++) {
            if ((xfam >>> i & 1) != 0) {
                CpuidTable.Leaf leaf = leaf(i);
                if ((leaf.cpu(2) & ALIGNED) != 0) {
                    at = (at + ALIGNMENT - 1) & -ALIGNMENT;
                }
                if (i == component) {
                    return at;
                }
                at += leaf.cpu(0);
            }
        }
        return at;
    }

    private static CpuidTable.Leaf leaf(int component) {
        return CpuidTable.get(CpuidTable.find(LEAF, component));
    }
}
