// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.md;

import static dev.seamlab.seam.abi.StatusCode.CPUID_LEAF_1F_FORMAT_UNRECOGNIZED;
import static dev.seamlab.seam.abi.StatusCode.OPERAND_INVALID;

import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.TdParams;
import dev.seamlab.seam.td.TdConfig;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/**
 * CPUID leaves that a host may configure: bits it sets directly, and bits it may allow where the
 * CPU has them (facts: module ABI sections 6.3 and 9).
 *
 * <p>Native values are those of {@link CpuidTable}.
 */
public final class CpuidConfig {
    /** Subleaf number of a leaf without subleaves. */
    public static final int NO_SUBLEAF = 0xFFFF_FFFF;

    private static final int REGISTERS = 4;
    private static final int EAX = 0;
    private static final int EBX = 1;
    private static final int ECX = 2;
    private static final int EDX = 3;
    private static final int STEPPING = 0xF;
    private static final int VERSION_LEAF = 1;
    private static final int TOPOLOGY_LEAF = 0x1F;
    private static final int ADDRESS_LEAF = 0x8000_0008;
    private static final int NARROW_GPA_BITS = 48;
    private static final VarHandle INTS =
            MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);

    /** One row: what a host may do to the four registers of a leaf. */
    private record Row(int leaf, int subleaf, List<Integer> direct, List<Integer> allowed) {
        long id() {
            return (leaf & 0xFFFF_FFFFL) | ((long) subleaf << 32);
        }

        /** The CPU's answer. */
        int nativeValue(int register) {
            return CpuidTable.get(CpuidTable.find(leaf, subleaf)).cpu(register);
        }
    }

    private static final List<Row> ROWS =
            List.of(
                    row(0x1, NO_SUBLEAF, 0xfff3fff, 0xff0000, 0, 0, 0, 0, 0x31044d88, 0xb8445080),
                    row(0x4, 0, 0xffffc3ff, 0xfffff000, 0xffffffff, 0x7, 0, 0, 0, 0),
                    row(0x4, 1, 0xffffc3ff, 0xfffff000, 0xffffffff, 0x7, 0, 0, 0, 0),
                    row(0x4, 2, 0xffffc3ff, 0xfffff000, 0xffffffff, 0x7, 0, 0, 0, 0),
                    row(0x4, 3, 0xffffc3ff, 0xfffff000, 0xffffffff, 0x7, 0, 0, 0, 0),
                    row(0x7, 0, 0, 0, 0, 0, 0, 0xdc2b9b18, 0x2417f65, 0x4005411c),
                    row(0x7, 1, 0, 0, 0, 0, 0x4881db0, 0, 0, 0x24430),
                    row(0xa, NO_SUBLEAF, 0, 0, 0, 0, 0, 0, 0, 0),
                    row(0x1c, NO_SUBLEAF, 0, 0, 0, 0, 0xff, 0, 0, 0),
                    row(0x80000008, NO_SUBLEAF, 0xff, 0, 0, 0, 0, 0x200, 0, 0),
                    row(0x7, 2, 0, 0, 0, 0, 0, 0, 0, 0x28),
                    row(0x23, 0, 0, 0, 0, 0, 0xf, 0, 0, 0),
                    row(0x1f, 0, 0x1f, 0xffff, 0xffff, 0, 0, 0, 0, 0),
                    row(0x1f, 1, 0x1f, 0xffff, 0xffff, 0, 0, 0, 0, 0),
                    row(0x1f, 2, 0x1f, 0xffff, 0xffff, 0, 0, 0, 0, 0),
                    row(0x1f, 3, 0x1f, 0xffff, 0xffff, 0, 0, 0, 0, 0),
                    row(0x1f, 4, 0x1f, 0xffff, 0xffff, 0, 0, 0, 0, 0),
                    row(0x1f, 5, 0x1f, 0xffff, 0xffff, 0, 0, 0, 0, 0),
                    row(0x19, NO_SUBLEAF, 0, 0, 0, 0, 0, 0, 0, 0),
                    row(0x18, 0, 0, 0, 0, 0x3ffc000, 0, 0, 0, 0),
                    row(0x18, 1, 0, 0, 0, 0x3ffc000, 0, 0, 0, 0),
                    row(0x18, 2, 0, 0, 0, 0x3ffc000, 0, 0, 0, 0),
                    row(0x18, 3, 0, 0, 0, 0x3ffc000, 0, 0, 0, 0),
                    row(0x18, 4, 0, 0, 0, 0x3ffc000, 0, 0, 0, 0),
                    row(0x18, 5, 0, 0, 0, 0x3ffc000, 0, 0, 0, 0),
                    row(0x18, 6, 0, 0, 0, 0x3ffc000, 0, 0, 0, 0),
                    row(0x18, 7, 0, 0, 0, 0x3ffc000, 0, 0, 0, 0),
                    row(0x18, 8, 0, 0, 0, 0x3ffc000, 0, 0, 0, 0));

    /** Rows in the order in which the module looks at them: that of {@link CpuidTable}. */
    private static final int[] IN_LOOKUP_ORDER =
            IntStream.range(0, ROWS.size())
                    .boxed()
                    .sorted(Comparator.comparingInt(CpuidConfig::lookupIndex))
                    .mapToInt(Integer::intValue)
                    .toArray();

    /** What became of CPUID_VALUES. The array is not shared. */
    public static final class Result {
        private final long status;
        private final long failingLeaf;
        private final int virtualMaxPa;
        private final long[] values;

        private Result(long status, long failingLeaf, int virtualMaxPa, long[] values) {
            this.status = status;
            this.failingLeaf = failingLeaf;
            this.virtualMaxPa = virtualMaxPa;
            this.values = values;
        }

        /** SUCCESS where every value may stand. */
        public long status() {
            return status;
        }

        /** Leaf and subleaf of the first bad value, or 0. */
        public long failingLeaf() {
            return failingLeaf;
        }

        /** VIRT_MAXPA. */
        public int virtualMaxPa() {
            return virtualMaxPa;
        }

        /** EAX and EBX, ECX and EDX of each configurable leaf as the guest sees them. */
        public long[] values() {
            return values.clone();
        }
    }

    private CpuidConfig() {}

    /** Number of configurable leaves. */
    public static int rows() {
        return ROWS.size();
    }

    /** Leaf in the low, subleaf in the high half. */
    public static long id(int row) {
        return ROWS.get(row).id();
    }

    /** Bits a host may configure: half 0 is EAX and EBX, half 1 ECX and EDX. */
    public static long configurable(int row, int half) {
        Row r = ROWS.get(row);
        long low = bits(r, 2 * half) & 0xFFFF_FFFFL;
        return low | (long) bits(r, 2 * half + 1) << 32;
    }

    /** Bits of a register that the host decides about, directly or by allowing them. */
    static int hostBits(int row, int register) {
        Row r = ROWS.get(row);
        return r.direct.get(register) | r.allowed.get(register);
    }

    /** Checks CPUID_VALUES of TD_PARAMS and works out what the guest will see. */
    public static Result apply(
            byte[] params, long configFlags, boolean migratable, int physicalBits) {
        long[] values = new long[2 * ROWS.size()];
        int virtualMaxPa = physicalBits;
        int[] topology = new int[TopologyLeaf.SUBLEAVES];
        boolean[] topologyIsNull = new boolean[TopologyLeaf.SUBLEAVES];
        for (int i : IN_LOOKUP_ORDER) {
            Row row = ROWS.get(i);
            int[] seen = new int[REGISTERS];
            for (int r = 0; r < REGISTERS; r++) {
                int at = TdParams.CPUID_VALUES + TdParams.CPUID_VALUE_BYTES * i + 4 * r;
                int asked = (int) INTS.get(params, at);
                if ((asked & ~(row.direct.get(r) | row.allowed.get(r))) != 0) {
                    return refused(row.id());
                }
                seen[r] =
                        (row.nativeValue(r) & ~row.direct.get(r) & asked)
                                | (asked & row.direct.get(r));
            }
            if (row.leaf == VERSION_LEAF) {
                if (!isVersionValid(seen[EAX], migratable)) {
                    return refused(row.id());
                }
                if (seen[EAX] == 0) {
                    seen[EAX] = PlatformValues.FMS;
                }
            }
            if (row.leaf == ADDRESS_LEAF) {
                virtualMaxPa = virtualMaxPa(seen[EAX] & 0xFF, configFlags, physicalBits);
                if (virtualMaxPa < 0) {
                    return refused(0);
                }
                boolean maxGpa = (configFlags & TdConfig.FLAG_MAXGPA_VIRT) != 0;
                int width = maxGpa ? physicalBits : virtualMaxPa;
                seen[EAX] = (seen[EAX] & ~0xFF) | width;
            }
            if (row.leaf == TOPOLOGY_LEAF) {
                topology[row.subleaf] = seen[ECX];
                topologyIsNull[row.subleaf] = (seen[EAX] | seen[EBX] | seen[ECX] | seen[EDX]) == 0;
            }
            values[2 * i] = (seen[0] & 0xFFFF_FFFFL) | (long) seen[1] << 32;
            values[2 * i + 1] = (seen[2] & 0xFFFF_FFFFL) | (long) seen[3] << 32;
        }
        if (!TopologyLeaf.isValid(topology, topologyIsNull)) {
            return new Result(CPUID_LEAF_1F_FORMAT_UNRECOGNIZED.word(), 0, 0, new long[0]);
        }
        return new Result(Status.SUCCESS, 0, virtualMaxPa, values);
    }

    /**
     * Family, model, stepping: 0 asks for the CPU's own. A TD that may migrate can ask for a CPU
     * that is as old or older; on this CPU that is an earlier stepping of the same model.
     */
    private static boolean isVersionValid(int asked, boolean migratable) {
        if (asked == 0 || asked == PlatformValues.FMS) {
            return true;
        }
        boolean sameModel = ((asked ^ PlatformValues.FMS) & ~STEPPING) == 0;
        return migratable && sameModel && (asked & STEPPING) <= (PlatformValues.FMS & STEPPING);
    }

    /** VIRT_MAXPA for the bits the host asks for, or -1 where they are not valid. */
    private static int virtualMaxPa(int asked, long flags, int physicalBits) {
        boolean wide = (flags & TdConfig.FLAG_GPAW) != 0;
        int widest = Math.min(physicalBits, wide ? 52 : NARROW_GPA_BITS);
        boolean maxGpa = (flags & TdConfig.FLAG_MAXGPA_VIRT) != 0;
        boolean maxPa = (flags & TdConfig.FLAG_MAXPA_VIRT) != 0;
        if (maxGpa) {
            return widest;
        }
        if (!maxPa) {
            return physicalBits;
        }
        if (asked == 0) {
            return widest;
        }
        return asked >= PlatformValues.MIN_VIRTUAL_MAXPA && asked <= widest ? asked : -1;
    }

    private static int bits(Row row, int register) {
        return row.direct.get(register) | (row.allowed.get(register) & row.nativeValue(register));
    }

    private static Result refused(long leaf) {
        return new Result(OPERAND_INVALID.with(Operand.CPUID_CONFIG), leaf, 0, new long[0]);
    }

    private static int lookupIndex(int row) {
        Row r = ROWS.get(row);
        return CpuidTable.find(r.leaf, r.subleaf);
    }

    private static Row row(
            int leaf, int subleaf, int da, int db, int dc, int dd, int aa, int ab, int ac, int ad) {
        return new Row(leaf, subleaf, List.of(da, db, dc, dd), List.of(aa, ab, ac, ad));
    }
}
