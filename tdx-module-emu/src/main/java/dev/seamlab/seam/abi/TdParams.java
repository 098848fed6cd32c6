// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.abi;

/**
 * Offsets in TD_PARAMS, the 1024-byte structure from which MNG.INIT learns what a TD is to be
 * (facts: module ABI section 9).
 */
public final class TdParams {
    public static final int SIZE = 1024;
    public static final int ALIGNMENT = 1024;

    public static final int ATTRIBUTES = 0;
    public static final int XFAM = 8;
    public static final int MAX_VCPUS = 16;
    public static final int NUM_L2_VMS = 18;
    public static final int MSR_CONFIG_CTLS = 19;
    public static final int RESERVED0 = 20;
    public static final int RESERVED0_BYTES = 4;
    public static final int EPTP_CONTROLS = 24;
    public static final int CONFIG_FLAGS = 32;
    public static final int TSC_FREQUENCY = 40;
    public static final int RESERVED1 = 42;
    public static final int RESERVED1_BYTES = 38;
    public static final int MRCONFIGID = 80;
    public static final int MROWNER = 128;
    public static final int MROWNERCONFIG = 176;
    public static final int ARCH_CAPABILITIES_CONFIG = 224;
    public static final int RESERVED2 = 232;
    public static final int RESERVED2_BYTES = 24;
    public static final int CPUID_VALUES = 256;

    /** Bytes of one CPUID_VALUES element: EAX, EBX, ECX, EDX. */
    public static final int CPUID_VALUE_BYTES = 16;

    /** Elements of CPUID_VALUES in use by 1.5.25. */
    public static final int CPUID_VALUE_COUNT = 28;

    public static final int RESERVED3 = CPUID_VALUES + CPUID_VALUE_BYTES * CPUID_VALUE_COUNT;
    public static final int RESERVED3_BYTES = SIZE - RESERVED3;

    /** Bytes of MRCONFIGID, MROWNER and MROWNERCONFIG: one SHA-384 value. */
    public static final int MEASUREMENT_BYTES = 48;

    /** ATTRIBUTES bits. */
    public static final long ATTRIBUTE_DEBUG = 1L;

    public static final long ATTRIBUTE_SEPT_VE_DISABLE = 1L << 28;

    /** CONFIG_FLAGS bits. */
    public static final long CONFIG_FLAG_GPAW = 1L;

    public static final long CONFIG_FLAG_NO_RBP_MOD = 1L << 2;

    /** EPTP_CONTROLS: write-back memory type, page-walk length minus one in bits 5:3. */
    public static final long EPTP_WRITE_BACK = 6;

    private TdParams() {}

    /** EPTP_CONTROLS for a number of S-EPT levels, 4 or 5. */
    public static long eptpControls(int levels) {
        return EPTP_WRITE_BACK | ((long) (levels - 1) << 3);
    }
}
