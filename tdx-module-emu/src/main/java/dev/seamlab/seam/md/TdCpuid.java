// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.md;

import dev.seamlab.seam.td.TdConfig;
import java.util.Map;

/**
 * CPUID as a TD sees it: CPUID_VALUES of its control structure, which MNG.INIT derives from the
 * CPU, the host's configuration, XFAM and ATTRIBUTES (facts: module ABI section 9). Made anew for
 * each question, because hardly anybody asks.
 */
final class TdCpuid {
    private static final int EAX = 0;
    private static final int EBX = 1;
    private static final int ECX = 2;
    private static final int EDX = 3;
    private static final int REGISTERS = 4;

    private static final int VERSION = 0x1;
    private static final int MONITOR = 0x5;
    private static final int FEATURES = 0x7;
    private static final int PERFMON = 0xA;
    private static final int CORES = 0xB;
    private static final int XSTATE = 0xD;
    private static final int TRACE = 0x14;
    private static final int TSC = 0x15;
    private static final int KEY_LOCKER = 0x19;
    private static final int MODEL = 0x1A;
    private static final int BRANCHES = 0x1C;
    private static final int TILES = 0x1D;
    private static final int TOPOLOGY = 0x1F;
    private static final int PERFMON_EXTENDED = 0x23;
    private static final int ADDRESSES = 0x8000_0008;

    private static final long USER_STATES = 0x602E7;
    private static final int XFD = 1 << 4;
    private static final int PKS = 1 << 31;
    private static final int LASS = 1 << 6;
    private static final int ADDRESS_BITS_57 = 57 << 8;
    private static final int ADDRESS_BITS_48 = 48 << 8;

    /** Bits that go without an XFAM bit: XFAM bit, register, bits. */
    private static final Map<Long, int[][]> NEEDS_XFAM =
            Map.of(
                    key(FEATURES, 0),
                    new int[][] {
                        {2, EBX, 0x20},
                        {2, ECX, 0x600},
                        {5, EBX, 0xdc230000},
                        {5, ECX, 0x5842},
                        {5, EDX, 0x80010c},
                        {6, EBX, 0xdc230000},
                        {6, ECX, 0x5842},
                        {6, EDX, 0x80010c},
                        {7, EBX, 0xdc230000},
                        {7, ECX, 0x5842},
                        {7, EDX, 0x80010c},
                        {8, EBX, 0x2000000},
                        {9, ECX, 0x8},
                        {11, ECX, 0x80},
                        {11, EDX, 0x100000},
                        {12, ECX, 0x80},
                        {12, EDX, 0x100000},
                        {14, EDX, 0x20},
                        {15, EDX, 0x80000},
                        {17, EDX, 0x3400000},
                        {18, EDX, 0x3400000}
                    },
                    key(FEATURES, 1),
                    new int[][] {
                        {2, EAX, 0x800010},
                        {2, EDX, 0x430},
                        {5, EAX, 0x20},
                        {6, EAX, 0x20},
                        {7, EAX, 0x20}
                    },
                    key(XSTATE, 0),
                    new int[][] {
                        {2, EAX, 0x4},
                        {5, EAX, 0xe0},
                        {6, EAX, 0xe0},
                        {7, EAX, 0xe0},
                        {9, EAX, 0x200},
                        {17, EAX, 0x60000},
                        {18, EAX, 0x60000}
                    },
                    key(XSTATE, 1),
                    new int[][] {
                        {8, ECX, 0x100},
                        {11, ECX, 0x1800},
                        {12, ECX, 0x1800},
                        {14, ECX, 0x4000},
                        {15, ECX, 0x8000}
                    },
                    key(VERSION, CpuidConfig.NO_SUBLEAF),
                    new int[][] {{2, ECX, 0x30001000}});

    private final TdConfig config;
    private final int[][] values = new int[CpuidTable.size()][];

    TdCpuid(TdConfig config) {
        this.config = config;
        long[] configured = config.cpuid();
        for (int i = 0; i < values.length; i++) {
            values[i] = configured(CpuidTable.get(i), configured);
        }
        for (int i = 0; i < values.length; i++) {
            restrict(CpuidTable.get(i), values[i]);
        }
        topology();
    }

    /** Element of CPUID_VALUES: EAX and EBX (0) or ECX and EDX (1) of the leaf at a place. */
    long value(int index, int half) {
        int[] registers = values[index];
        return (registers[2 * half] & 0xFFFF_FFFFL) | (long) registers[2 * half + 1] << 32;
    }

    /** MONITOR and MWAIT. */
    boolean hasMonitor() {
        return bit(VERSION, 0, ECX, 3);
    }

    /** Enhanced SpeedStep. */
    boolean hasSpeedStep() {
        return bit(VERSION, 0, ECX, 7);
    }

    /** Whether the xTPR messages of the interrupt controller can be turned off. */
    boolean hasTaskPriorityControl() {
        return bit(VERSION, 0, ECX, 14);
    }

    /** UMONITOR, UMWAIT and TPAUSE. */
    boolean hasWaitPackage() {
        return bit(FEATURES, 0, ECX, 5);
    }

    /** PCONFIG. */
    boolean hasPconfig() {
        return bit(FEATURES, 0, EDX, 18);
    }

    /** Transactional memory. */
    boolean hasTsx() {
        return bit(FEATURES, 0, EBX, 11);
    }

    /** Control over the data-dependent prefetcher. */
    boolean hasDdpd() {
        return bit(FEATURES, 2, EDX, 3);
    }

    /** Extended feature disable. */
    boolean hasXfd() {
        return bit(XSTATE, 1, EAX, 4);
    }

    private boolean bit(int leaf, int subleaf, int register, int number) {
        return (values[CpuidTable.find(leaf, subleaf)][register] >>> number & 1) != 0;
    }

    /** The CPU's values with the bits that the host decides about as it decided. */
    private static int[] configured(CpuidTable.Leaf leaf, long[] decided) {
        int[] registers = new int[REGISTERS];
        for (int r = 0; r < REGISTERS; r++) {
            registers[r] = leaf.sampled(r);
            if (leaf.config() >= 0 && decided.length > 0) {
                int bits = CpuidConfig.hostBits(leaf.config(), r);
                int value = (int) (decided[2 * leaf.config() + r / 2] >>> (32 * (r % 2)));
                registers[r] = (registers[r] & ~bits) | (value & bits);
            }
        }
        return registers;
    }

    /** Takes away what XFAM, ATTRIBUTES and other leaves do not give; in the order of the table. */
    private void restrict(CpuidTable.Leaf leaf, int[] v) {
        for (int[] need : NEEDS_XFAM.getOrDefault(key(leaf.leaf(), leaf.subleaf()), new int[0][])) {
            if (!xfam(need[0])) {
                v[need[1]] &= ~need[2];
            }
        }
        boolean perfmon = attribute(63);
        switch (leaf.leaf()) {
            case MONITOR -> keep(v, hasMonitor());
            case FEATURES -> {
                if (leaf.subleaf() == 0) {
                    v[ECX] = with(v[ECX], 1 << 23, false);
                    v[ECX] = with(v[ECX], PKS, attribute(30));
                } else if (leaf.subleaf() == 1) {
                    v[EAX] = with(v[EAX], LASS, attribute(27));
                }
            }
            case PERFMON -> keep(v, perfmon);
            case XSTATE -> {
                if (leaf.subleaf() == 0) {
                    v[ECX] = XsaveLayout.standardSize(config.xfam() & USER_STATES);
                } else if (leaf.subleaf() == 1) {
                    v[EAX] = with(v[EAX], XFD, xfam(18));
                } else {
                    keep(v, xfam(leaf.subleaf()));
                }
            }
            case TRACE -> keep(v, xfam(XsaveLayout.PROCESSOR_TRACE));
            case TSC -> v[EBX] = config.tscFrequency();
            case KEY_LOCKER -> keep(v, false);
            case MODEL -> keep(v, !attribute(29));
            case BRANCHES -> keep(v, xfam(15));
            case TILES -> keep(v, xfam(17) && xfam(18));
            case PERFMON_EXTENDED -> {
                boolean extended = perfmon && bit(FEATURES, 1, EAX, 8);
                int has = values[CpuidTable.find(PERFMON_EXTENDED, 0)][EAX];
                keep(v, extended && (leaf.subleaf() == 0 || (has >>> leaf.subleaf() & 1) != 0));
            }
            case ADDRESSES -> v[EAX] = addressBits(v[EAX] & 0xFF);
            default -> {}
        }
    }

    private int addressBits(int physical) {
        int linear = bit(FEATURES, 0, ECX, 16) ? ADDRESS_BITS_57 : ADDRESS_BITS_48;
        boolean guestBits = (config.configFlags() & TdConfig.FLAG_MAXGPA_VIRT) != 0;
        return linear | physical | (guestBits ? config.virtualMaxPa() << 16 : 0);
    }

    /** Leaf 0x1F as configured, else as the CPU has it; leaf 0xB is made from it. */
    private void topology() {
        boolean configured = false;
        int first = CpuidTable.find(TOPOLOGY, 0);
        for (int r = 0; r < REGISTERS; r++) {
            configured |= values[first][r] != 0;
        }
        int level = 0;
        int[] last = new int[REGISTERS];
        for (int subleaf = 0; subleaf < TopologyLeaf.SUBLEAVES; subleaf++) {
            int index = CpuidTable.find(TOPOLOGY, subleaf);
            if (!configured) {
                for (int r = 0; r < REGISTERS; r++) {
                    values[index][r] = CpuidTable.get(index).sampled(r);
                }
            }
            int type = values[index][ECX] >>> 8 & 0xFF;
            if (type != 0) {
                last = values[index].clone();
                if (type == 1) {
                    values[CpuidTable.find(CORES, 0)] = last.clone();
                    level = 1;
                }
            }
        }
        last[ECX] = level | 2 << 8;
        values[CpuidTable.find(CORES, level)] = last;
        for (int next = level + 1; next <= 2; next++) {
            values[CpuidTable.find(CORES, next)] = new int[] {0, 0, next, last[EDX]};
        }
    }

    private boolean xfam(int bit) {
        return (config.xfam() >>> bit & 1) != 0;
    }

    private boolean attribute(int bit) {
        return (config.attributes() >>> bit & 1) != 0;
    }

    private static int with(int value, int bits, boolean set) {
        return set ? value | bits : value & ~bits;
    }

    private static void keep(int[] registers, boolean present) {
        if (!present) {
            java.util.Arrays.fill(registers, 0);
        }
    }

    private static long key(int leaf, int subleaf) {
        return (leaf & 0xFFFF_FFFFL) | (long) subleaf << 32;
    }
}
