// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.mng;

import static dev.seamlab.seam.abi.StatusCode.EVENT_FILTER_INVALID;
import static dev.seamlab.seam.abi.StatusCode.EVENT_FILTER_ORDER_INVALID;
import static dev.seamlab.seam.abi.StatusCode.OPERAND_INVALID;
import static dev.seamlab.seam.abi.StatusCode.TDCS_NOT_ALLOCATED;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Hpa;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.TdParams;
import dev.seamlab.seam.core.ModuleState;
import dev.seamlab.seam.md.CpuidConfig;
import dev.seamlab.seam.md.PlatformValues;
import dev.seamlab.seam.td.TdConfig;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** What MNG.INIT demands of TD_PARAMS, in the module's order (facts: module ABI section 9). */
final class TdParamsRules {
    private static final int MAX_L2_VMS = 3;
    private static final int MIN_TSC = 4;
    private static final int MAX_TSC = 400;
    private static final long EPTP_BITS = 0x3F;
    private static final int LEVEL_4 = 3;
    private static final int LEVEL_5 = 4;

    private static final long MIGRATABLE = 1L << 29;
    private static final long ICSSD = 1L << 16;
    private static final long PERFMON = 1L << 63;

    private static final VarHandle LONGS =
            MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle SHORTS =
            MethodHandles.byteArrayViewVarHandle(short[].class, ByteOrder.LITTLE_ENDIAN);

    /**
     * Outcome.
     *
     * @param status SUCCESS iff there is a configuration
     * @param failingLeaf CPUID leaf and subleaf for RCX, or 0
     */
    record Verdict(long status, long failingLeaf, @Nullable TdConfig config) {
        static Verdict refused(long status) {
            return new Verdict(status, 0, null);
        }
    }

    private final ModuleState state;

    TdParamsRules(ModuleState state) {
        this.state = state;
    }

    Verdict judge(byte[] params, int tdcxCount, boolean eventFilters, long filterInfo) {
        long attributes = longAt(params, TdParams.ATTRIBUTES);
        long status = checkFixedPart(params, attributes, tdcxCount);
        if (status == Status.SUCCESS && eventFilters && (attributes & PERFMON) != 0) {
            status = checkEventFilters(filterInfo);
        }
        if (status != Status.SUCCESS) {
            return Verdict.refused(status);
        }
        CpuidConfig.Result cpuid =
                CpuidConfig.apply(
                        params,
                        longAt(params, TdParams.CONFIG_FLAGS),
                        (attributes & MIGRATABLE) != 0,
                        state.profile().physicalBits());
        if (cpuid.status() != Status.SUCCESS) {
            return new Verdict(cpuid.status(), cpuid.failingLeaf(), null);
        }
        if (!isZero(params, TdParams.RESERVED3, TdParams.RESERVED3_BYTES)) {
            return Verdict.refused(OPERAND_INVALID.with(Operand.RDX));
        }
        long capabilities = longAt(params, TdParams.ARCH_CAPABILITIES_CONFIG);
        boolean configured = (params[TdParams.MSR_CONFIG_CTLS] & 1) != 0;
        long allowed = configured ? PlatformValues.ARCH_CAPABILITIES_CONFIG_MASK : 0;
        if ((capabilities & ~allowed) != 0) {
            return Verdict.refused(OPERAND_INVALID.with(Operand.IA32_ARCH_CAPABILITIES_CONFIG));
        }
        return new Verdict(
                Status.SUCCESS,
                0,
                new TdConfig(
                        attributes,
                        longAt(params, TdParams.XFAM),
                        shortAt(params, TdParams.MAX_VCPUS),
                        params[TdParams.NUM_L2_VMS],
                        longAt(params, TdParams.EPTP_CONTROLS),
                        longAt(params, TdParams.CONFIG_FLAGS),
                        shortAt(params, TdParams.TSC_FREQUENCY),
                        cpuid.virtualMaxPa(),
                        measurement(params, TdParams.MRCONFIGID),
                        measurement(params, TdParams.MROWNER),
                        measurement(params, TdParams.MROWNERCONFIG),
                        cpuid.values(),
                        configured ? capabilities : 0));
    }

    private long checkFixedPart(byte[] params, long attributes, int tdcxCount) {
        if (!attributesAreValid(attributes)) {
            return OPERAND_INVALID.with(Operand.ATTRIBUTES);
        }
        if (!xfamIsValid(longAt(params, TdParams.XFAM))) {
            return OPERAND_INVALID.with(Operand.XFAM);
        }
        int maxVcpus = shortAt(params, TdParams.MAX_VCPUS);
        if (maxVcpus == 0 || maxVcpus > state.profile().module().maxVcpusPerTd()) {
            return OPERAND_INVALID.with(Operand.MAX_VCPUS);
        }
        int l2 = params[TdParams.NUM_L2_VMS] & 0xFF;
        if (l2 > MAX_L2_VMS) {
            return OPERAND_INVALID.with(Operand.NUM_L2_VMS);
        }
        if (tdcxCount < state.profile().module().tdcsPages() + l2) {
            return TDCS_NOT_ALLOCATED.word();
        }
        if (!isZero(params, TdParams.RESERVED0, TdParams.RESERVED0_BYTES)) {
            return OPERAND_INVALID.with(Operand.RDX);
        }
        long flags = longAt(params, TdParams.CONFIG_FLAGS);
        if (!configFlagsAreValid(flags)) {
            return OPERAND_INVALID.with(Operand.EXEC_CONTROLS);
        }
        boolean wide = (flags & TdConfig.FLAG_GPAW) != 0;
        if (!eptpIsValid(longAt(params, TdParams.EPTP_CONTROLS), wide)) {
            return OPERAND_INVALID.with(Operand.EPTP_CONTROLS);
        }
        int tsc = shortAt(params, TdParams.TSC_FREQUENCY);
        if (tsc < MIN_TSC || tsc > MAX_TSC) {
            return OPERAND_INVALID.with(Operand.TSC_FREQUENCY);
        }
        boolean restIsZero =
                isZero(params, TdParams.RESERVED1, TdParams.RESERVED1_BYTES)
                        && (params[TdParams.MSR_CONFIG_CTLS] & ~1) == 0
                        && isZero(params, TdParams.RESERVED2, TdParams.RESERVED2_BYTES);
        return restIsZero ? Status.SUCCESS : OPERAND_INVALID.with(Operand.RDX);
    }

    private static boolean attributesAreValid(long attributes) {
        if ((attributes & ~PlatformValues.ATTRIBUTES_FIXED0) != 0) {
            return false;
        }
        boolean migratable = (attributes & MIGRATABLE) != 0;
        boolean perfmon = (attributes & PERFMON) != 0;
        boolean debug = (attributes & TdConfig.ATTRIBUTE_DEBUG) != 0;
        boolean icssd = (attributes & ICSSD) != 0;
        return !(migratable && (debug || perfmon)) && !(perfmon && icssd);
    }

    /** Bits: 2 AVX, 5-7 AVX-512, 11/12 CET user and supervisor, 17/18 AMX. */
    private static boolean xfamIsValid(long xfam) {
        boolean avx512 = bit(xfam, 5);
        return (xfam & ~PlatformValues.XFAM_FIXED0) == 0
                && (xfam & PlatformValues.XFAM_FIXED1) == PlatformValues.XFAM_FIXED1
                && (!avx512 || bit(xfam, 2))
                && avx512 == bit(xfam, 6)
                && avx512 == bit(xfam, 7)
                && bit(xfam, 11) == bit(xfam, 12)
                && bit(xfam, 17) == bit(xfam, 18);
    }

    private static boolean configFlagsAreValid(long flags) {
        boolean both = bit(flags, 3) && bit(flags, 4);
        return (flags & ~PlatformValues.CONFIG_FLAGS_FIXED0) == 0 && !both;
    }

    private static boolean eptpIsValid(long eptp, boolean wide) {
        int level = (int) (eptp >>> 3) & 0x7;
        return (eptp & ~EPTP_BITS) == 0
                && (eptp & 0x7) == TdParams.EPTP_WRITE_BACK
                && (level == LEVEL_5 || (level == LEVEL_4 && !wide));
    }

    /**
     * Event filters: 8 bytes each, strictly ascending by unit mask, then event. The model has no
     * performance counters, so that it only checks them.
     *
     * <pre>
     *    63        48 47     32   31     30      8 7        0
     *   +------------+---------+--------+---------+----------+
     *   | mask: ones | umask   | negate | 0       | event    |
     *   +------------+---------+--------+---------+----------+
     * </pre>
     *
     * Only plain filters with a unit mask of 8 bits are known.
     */
    private long checkEventFilters(long info) {
        int count = (int) info & 0xFFF;
        long list = info & ~0xFFFL;
        if (count == 0
                || count > PlatformValues.MAX_EVENT_FILTERS
                || !state.addresses().isSharedBuffer(list, Addresses.PAGE_SIZE)) {
            return OPERAND_INVALID.with(Operand.R8);
        }
        @Hpa long at = state.addresses().withoutHkid(list);
        long previous = -1;
        for (int i = 0; i < count; i++) {
            long filter = state.memory().readLong(at + (long) Long.BYTES * i);
            long unitMask = filter >>> 32 & 0xFFFF;
            boolean valid =
                    (filter & 0xFFFF_FF00L) == 0 && unitMask <= 0xFF && filter >>> 48 == 0xFFFF;
            if (!valid) {
                return EVENT_FILTER_INVALID.withDetail(i);
            }
            long key = unitMask << 8 | (filter & 0xFF);
            if (key <= previous) {
                return EVENT_FILTER_ORDER_INVALID.withDetail(i);
            }
            previous = key;
        }
        return Status.SUCCESS;
    }

    private static byte[] measurement(byte[] params, int at) {
        return Arrays.copyOfRange(params, at, at + TdParams.MEASUREMENT_BYTES);
    }

    private static boolean bit(long word, int number) {
        return (word >>> number & 1) != 0;
    }

    private static boolean isZero(byte[] bytes, int at, int length) {
        for (int i = 0; i < length; i++) {
            if (bytes[at + i] != 0) {
                return false;
            }
        }
        return true;
    }

    private static long longAt(byte[] bytes, int at) {
        return (long) LONGS.get(bytes, at);
    }

    private static int shortAt(byte[] bytes, int at) {
        return (short) SHORTS.get(bytes, at) & 0xFFFF;
    }
}
