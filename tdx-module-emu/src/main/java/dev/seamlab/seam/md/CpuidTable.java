// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.md;

import dev.seamlab.seam.abi.FieldId;
import java.util.Arrays;
import java.util.List;

/**
 * The CPUID leaves that the module virtualises, in its order (module 1.5.25), and what the emulated
 * CPU answers to them.
 *
 * <p>The CPU imitates a Sapphire Rapids server, see {@link PlatformValues}: it has every bit that
 * the module demands or lets a host allow, except TSX and the extended performance monitoring leaf.
 * Cache sizes and extended states are those of the part; topology is 2 threads and 56 cores;
 * everything else that no source here states is zero. All of the native column is therefore a
 * choice of this model.
 */
final class CpuidTable {
    private static final int REGISTERS = 4;
    private static final int HEX = 16;

    /**
     * Leaf, subleaf (- for none), place in CPUID_CONFIG_LEAVES, fixed-0, fixed-1 and native bits.
     */
    private static final String TABLE =
            """
                   1 -      0  f000c000 ff0000ff  8010060 40120400         0        0 80000000      200     806f8      800 77feef9f bfedfbff
                   4 0      1      3c00        0        0 fffffff8         0        0        0        0  fc004121  2c0003f       3f        0
                   4 1      2      3c00        0        0 fffffff8         0        0        0        0  fc004122  1c0003f       3f        0
                   4 2      3      3c00        0        0 fffffff8         0        0        0        0  fc01c143  3c0003f      7ff        0
                   4 3      4      3c00        0        0 fffffff8         0        0        0        0  fc1fc163  380003f    1bfff        4
                   7 0      5         0   404006 643e8010   2298c3         0        0        0        0         2 fdbfb7cb 9b417f65 fc0d451c
                   7 1      6  fb77e20f ffffffff ffffffff fffdbbcf         0        0        0        0   4881cb0        0        0    24430
                   a -      7         0        0        0 ffff6000         0        0        0        0   8300805        0        f     8604
                  1c -      8         0        0        0        0         0        0        0        0        ff        7        7        0
            80000008 -      9         0 fffffdff ffffffff ffffffff         0        0        0        0      3934      200        0        0
                   0 -      -  ffffffdc        0        0        0        23        0        0        0        20 756e6547 6c65746e 49656e69
                   3 -      -  ffffffff ffffffff ffffffff ffffffff         0        0        0        0         0        0        0        0
                   4 4      -  ffffffff ffffffff ffffffff ffffffff         0        0        0        0         0        0        0        0
                   6 -      -  fffffffb ffffffff ffffffff ffffffff         4        0        0        0         0        0        0        0
                   7 2     10  ffffffff ffffffff ffffffff ffffffc0         0        0        0        0         0        0        0       3f
                   8 -      -  ffffffff ffffffff ffffffff ffffffff         0        0        0        0         0        0        0        0
                   d 0      -  fff9fd18 ffffffff        0 ffffffff         0        0        0        0     602e7        0     2b00        0
                   d 1      -  ffffffe0 ffffffff ffff26ff ffffffff         0        0        0        0        1f        0     d900        0
                   d 2      -         0        0        0 ffffffff         0        0        0        0       100      240        0        0
                   d 3      -         0        0        0 ffffffff         0        0        0        0         0        0        0        0
                   d 4      -         0        0        0 ffffffff         0        0        0        0         0        0        0        0
                   d 5      -         0        0        0 ffffffff         0        0        0        0        40      440        0        0
                   d 6      -         0        0        0 ffffffff         0        0        0        0       200      480        0        0
                   d 7      -         0        0        0 ffffffff         0        0        0        0       400      680        0        0
                   d 8      -         0        0        0 ffffffff         0        0        0        0        80        0        1        0
                   d 9      -         0        0        0 ffffffff         0        0        0        0         8      a80        0        0
                   d a      -         0        0        0 ffffffff         0        0        0        0         0        0        0        0
                   d b      -         0        0        0 ffffffff         0        0        0        0        10        0        1        0
                   d c      -         0        0        0 ffffffff         0        0        0        0        18        0        1        0
                   d d      -         0        0        0 ffffffff         0        0        0        0         0        0        0        0
                   d e      -         0        0        0 ffffffff         0        0        0        0        30        0        1        0
                   d f      -         0        0        0 ffffffff         0        0        0        0       328        0        1        0
                   d 10     -         0        0        0 ffffffff         0        0        0        0         0        0        0        0
                   d 11     -         0        0        0 ffffffff         0        0        0        0        40      ac0        2        0
                   d 12     -         0        0        0 ffffffff         0        0        0        0      2000      b00        6        0
                   e -      -  ffffffff ffffffff ffffffff ffffffff         0        0        0        0         0        0        0        0
                  11 -      -  ffffffff ffffffff ffffffff ffffffff         0        0        0        0         0        0        0        0
                  12 -      -  ffffffff ffffffff ffffffff ffffffff         0        0        0        0         0        0        0        0
                  13 -      -  ffffffff ffffffff ffffffff ffffffff         0        0        0        0         0        0        0        0
                  14 0      -         0 fffffe00 7ffffff0 ffffffff         0        0        0        0         1       5f        7        0
                  14 1      -      fff8        0 ffffffff ffffffff         0        0        0        0   2490002   3f1fff        0        0
                  15 -      -  fffffffe        0 fe8287bf ffffffff         1        0  17d7840        0         0        0        0        0
                  19 -     18  ffffffff ffffffff ffffffff ffffffff         0        0        0        0         0        0        0        0
                  1d 0      -         0        0        0        0         0        0        0        0         1        0        0        0
                  1d 1      -         0        0        0        0         0        0        0        0   4002000    80040       10        0
                  1e -      -         0        0        0        0         0        0        0        0         0     4010        0        0
                  1f 0     12  ffffffe0 ffff0000 ffff0000 ffffffff         0        0        0        0         1        2      100        0
                  1f 1     13  ffffffe0 ffff0000 ffff0000 ffffffff         0        0        0        0         7       70      201        0
                  1f 2     14  ffffffe0 ffff0000 ffff0000 ffffffff         0        0        0        0         0        0        2        0
                  1f 3     15  ffffffe0 ffff0000 ffff0000 ffffffff         0        0        0        0         0        0        3        0
                  1f 4     16  ffffffe0 ffff0000 ffff0000 ffffffff         0        0        0        0         0        0        4        0
                  1f 5     17  ffffffe0 ffff0000 ffff0000 ffffffff         0        0        0        0         0        0        5        0
                  20 -      -  ffffffff ffffffff ffffffff ffffffff         0        0        0        0         0        0        0        0
                  21 0      -  ffffffff 9a8b91b6 dfdfdfdf a7bbab93         0 65746e49 20202020 5844546c         0        0        0        0
            80000000 -      -  7ffffff7 ffffffff ffffffff ffffffff  80000008        0        0        0         0        0        0        0
            80000001 -      -  ffffffff ffffffff fffffede d3efffff         0        0        0        0         0        0      121 2c100800
            80000006 -      -  ffffffff ffffffff     8fbf ffffffff         0        0     7040        0         0        0  8007040        0
            80000007 -      -  ffffffff ffffffff ffffffff fffffeff         0        0        0        0         0        0        0      100
                  22 -      -  ffffffff ffffffff ffffffff ffffffff         0        0        0        0         0        0        0        0
                  23 0     11  fffffff0        0 ffffffff ffffffff         0        0        0        0         0        0        0        0
                  23 1      -         0        0 ffffffff ffffffff         0        0        0        0         0        0        0        0
                  23 2      -  ffffffff ffffffff ffffffff ffffffff         0        0        0        0         0        0        0        0
                  23 3      -         0 ffffffff ffffffff ffffffff         0        0        0        0         0        0        0        0
                   5 -      -  ffff0000 ffff0000 fffffffc        0         0        0        0        0        40       40        3     2020
                   b 0      -  ffffffe0 ffff0000 ffff0000 ffffffff         0        0        0        0         0        0        0        0
                   b 1      -  ffffffe0 ffff0000 ffff0000 ffffffff         0        0        0        0         0        0        0        0
                   b 2      -  ffffffff ffffffff ffffff00 ffffffff         0        0        0        0         0        0        0        0
                  1a -      -         0 ffffffff ffffffff ffffffff         0        0        0        0         0        0        0        0
                  18 0     19         0        0        0        0         0        0        0        0         8        0        0        0
                  18 1     20         0        0        0        0         0        0        0        0         0        0        0        0
                  18 2     21         0        0        0        0         0        0        0        0         0        0        0        0
                  18 3     22         0        0        0        0         0        0        0        0         0        0        0        0
                   2 -      -  ff0100fe ffffffff ffffffff ffffffff    feff01        0        0        0         0        0        0        0
                  18 4     23         0        0        0        0         0        0        0        0         0        0        0        0
                  18 5     24         0        0        0        0         0        0        0        0         0        0        0        0
                  18 6     25         0        0        0        0         0        0        0        0         0        0        0        0
                  18 7     26         0        0        0        0         0        0        0        0         0        0        0        0
                  18 8     27         0        0        0        0         0        0        0        0         0        0        0        0
            80000002 -      -  9a8b91b6 a7dfbbab 93dfdfdf ffffffff  65746e49 58204454 6c202020        0         0        0        0        0
            """;

    /**
     * CPUID_FIXED0_BITMAP: leaves that are always zero; bits 51:0 leaf n, 59:52 leaf 0x80000000+n.
     */
    static final long FIXED0_BITMAP = 0x0380_0005_08CF_D308L;

    private static final int BASE_LEAVES = 52;
    private static final int EXTENDED = 0x8000_0000;
    private static final int EXTENDED_LEAVES = 9;

    /** One leaf; the lists are EAX, EBX, ECX, EDX. */
    record Leaf(
            int leaf,
            int subleaf,
            int config,
            List<Integer> fixed0,
            List<Integer> fixed1,
            List<Integer> cpu) {
        /** The CPU's answer. */
        int cpu(int register) {
            return cpu.get(register);
        }

        /** What the module starts from: the CPU's answer with the fixed bits applied. */
        int sampled(int register) {
            return (cpu.get(register) & ~fixed0.get(register)) | fixed1.get(register);
        }
    }

    private static final List<Leaf> LEAVES = TABLE.lines().map(CpuidTable::parse).toList();

    private CpuidTable() {}

    /** Number of leaves. */
    static int size() {
        return LEAVES.size();
    }

    /** A leaf by its place. */
    static Leaf get(int index) {
        return LEAVES.get(index);
    }

    /** Place of a leaf, or -1. A leaf without subleaves answers for all of them. */
    static int find(int leaf, int subleaf) {
        for (int i = 0; i < LEAVES.size(); i++) {
            Leaf candidate = LEAVES.get(i);
            boolean any = candidate.subleaf == CpuidConfig.NO_SUBLEAF;
            if (candidate.leaf == leaf && (any || candidate.subleaf == subleaf)) {
                return i;
            }
        }
        return -1;
    }

    /** Whether a leaf that is not in the table is one that always reads as zero. */
    static boolean isFixed0(int leaf) {
        if (Integer.compareUnsigned(leaf, BASE_LEAVES) < 0) {
            return (FIXED0_BITMAP >>> leaf & 1) != 0;
        }
        int extended = leaf - EXTENDED;
        return extended >= 0
                && extended < EXTENDED_LEAVES
                && (FIXED0_BITMAP >>> (BASE_LEAVES + extended) & 1) != 0;
    }

    /**
     * Field codes of CPUID_VALUES (facts: module ABI section 6.1).
     *
     * <pre>
     *   23  17 16        15   9 8      7     1 0
     *   | 0   | leaf 31 | leaf  | none | subleaf | EAX and EBX, or ECX and EDX |
     * </pre>
     */
    static final class Code {
        private static final int SUBLEAF_SHIFT = 1;
        private static final int SUBLEAF_MASK = 0x7F;
        private static final int NONE_BIT = 1 << 8;
        private static final int LEAF_SHIFT = 9;
        private static final int LEAF_MASK = 0x7F;
        private static final int HIGH_LEAF_SHIFT = 16;
        private static final int RESERVED_SHIFT = 17;

        private Code() {}

        /** Code of the first element of a leaf. */
        static int of(Leaf leaf) {
            int none = leaf.subleaf == CpuidConfig.NO_SUBLEAF ? NONE_BIT : 0;
            return (leaf.leaf & LEAF_MASK) << LEAF_SHIFT
                    | leaf.leaf >>> 31 << HIGH_LEAF_SHIFT
                    | none
                    | (leaf.subleaf & SUBLEAF_MASK) << SUBLEAF_SHIFT;
        }

        static boolean isValid(long id) {
            return FieldId.code(id) >>> RESERVED_SHIFT == 0;
        }

        static int leaf(long id) {
            int code = FieldId.code(id);
            return (code >>> LEAF_SHIFT & LEAF_MASK) | code >>> HIGH_LEAF_SHIFT << 31;
        }

        static int subleaf(long id) {
            int code = FieldId.code(id);
            return (code & NONE_BIT) != 0
                    ? CpuidConfig.NO_SUBLEAF
                    : code >>> SUBLEAF_SHIFT & SUBLEAF_MASK;
        }
    }

    private static Leaf parse(String line) {
        String[] column = line.trim().split("\\s+", -1);
        int subleaf =
                column[1].equals("-") ? CpuidConfig.NO_SUBLEAF : Integer.parseInt(column[1], HEX);
        int config = column[2].equals("-") ? -1 : Integer.parseInt(column[2]);
        return new Leaf(
                Integer.parseUnsignedInt(column[0], HEX),
                subleaf,
                config,
                registers(column, 3),
                registers(column, 3 + REGISTERS),
                registers(column, 3 + 2 * REGISTERS));
    }

    private static List<Integer> registers(String[] column, int at) {
        return Arrays.stream(column, at, at + REGISTERS)
                .map(text -> Integer.parseUnsignedInt(text, HEX))
                .toList();
    }
}
