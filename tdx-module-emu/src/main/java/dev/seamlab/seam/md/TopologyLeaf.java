// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.md;

/**
 * CPUID leaf 0x1F as a host configures it: levels ascending in type, numbered by subleaf, SMT only
 * first, a core level among them; or nothing at all, which means the CPU's own topology.
 */
final class TopologyLeaf {
    static final int SUBLEAVES = 6;

    private static final int INVALID = 0;
    private static final int SMT = 1;
    private static final int CORE = 2;

    private TopologyLeaf() {}

    /**
     * Whether the levels make sense.
     *
     * @param ecx ECX of each subleaf: level number in bits 7:0, level type in bits 15:8
     * @param isNull whether every register of the subleaf is zero
     */
    static boolean isValid(int[] ecx, boolean[] isNull) {
        if (isNull[0]) {
            for (boolean later : isNull) {
                if (!later) {
                    return false;
                }
            }
            return true;
        }
        int previous = INVALID;
        boolean core = false;
        for (int subleaf = 0; subleaf < SUBLEAVES; subleaf++) {
            int type = ecx[subleaf] >>> 8 & 0xFF;
            if (type == INVALID) {
                if (subleaf == 0 || !core) {
                    return false;
                }
            } else {
                boolean ascending = type > previous && type < SUBLEAVES;
                boolean numbered = (ecx[subleaf] & 0xFF) == subleaf;
                if (!ascending || !numbered || (type == SMT && subleaf != 0)) {
                    return false;
                }
                core |= type == CORE;
            }
            previous = type;
        }
        return true;
    }
}
