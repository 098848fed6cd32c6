// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.td;

import dev.seamlab.seam.abi.PageInfo;

/** What TD_PARAMS said, checked; fixed from MNG.INIT on (facts: module ABI section 9). */
public final class TdConfig {
    /** CONFIG_FLAGS bit: 52-bit guest addresses with the shared bit at 51. */
    public static final long FLAG_GPAW = 1;

    /** CONFIG_FLAGS bit: the guest may change TD_CTLS.PENDING_VE_DISABLE. */
    public static final long FLAG_FLEXIBLE_PENDING_VE = 1 << 1;

    /** CONFIG_FLAGS bit: VP.VMCALL does not pass RBP. */
    public static final long FLAG_NO_RBP_MOD = 1 << 2;

    /** CONFIG_FLAGS bit: the TD sees a narrower physical address than the CPU has. */
    public static final long FLAG_MAXPA_VIRT = 1 << 3;

    /** CONFIG_FLAGS bit: CPUID reports the width of guest addresses apart from the CPU's. */
    public static final long FLAG_MAXGPA_VIRT = 1 << 4;

    /** ATTRIBUTES bit: debug TD. */
    public static final long ATTRIBUTE_DEBUG = 1;

    /** ATTRIBUTES bit: pending pages exit to the host rather than raise #VE. */
    public static final long ATTRIBUTE_SEPT_VE_DISABLE = 1L << 28;

    /** Before MNG.INIT. */
    static final TdConfig NONE =
            new TdConfig(
                    0,
                    0,
                    0,
                    0,
                    0,
                    0,
                    0,
                    0,
                    new byte[Measurement.BYTES],
                    new byte[Measurement.BYTES],
                    new byte[Measurement.BYTES],
                    new long[0],
                    0);

    private final long attributes;
    private final long xfam;
    private final int maxVcpus;
    private final int numL2Vms;
    private final long eptpControls;
    private final long configFlags;
    private final int tscFrequency;
    private final int virtualMaxPa;
    private final byte[] mrConfigId;
    private final byte[] mrOwner;
    private final byte[] mrOwnerConfig;
    private final long[] cpuid;
    private final long archCapabilities;

    public TdConfig(
            long attributes,
            long xfam,
            int maxVcpus,
            int numL2Vms,
            long eptpControls,
            long configFlags,
            int tscFrequency,
            int virtualMaxPa,
            byte[] mrConfigId,
            byte[] mrOwner,
            byte[] mrOwnerConfig,
            long[] cpuid,
            long archCapabilities) {
        this.attributes = attributes;
        this.xfam = xfam;
        this.maxVcpus = maxVcpus;
        this.numL2Vms = numL2Vms;
        this.eptpControls = eptpControls;
        this.configFlags = configFlags;
        this.tscFrequency = tscFrequency;
        this.virtualMaxPa = virtualMaxPa;
        this.mrConfigId = mrConfigId.clone();
        this.mrOwner = mrOwner.clone();
        this.mrOwnerConfig = mrOwnerConfig.clone();
        this.cpuid = cpuid.clone();
        this.archCapabilities = archCapabilities;
    }

    /** ATTRIBUTES. */
    public long attributes() {
        return attributes;
    }

    /** XFAM. */
    public long xfam() {
        return xfam;
    }

    /** MAX_VCPUS. */
    public int maxVcpus() {
        return maxVcpus;
    }

    /** NUM_L2_VMS. */
    public int numL2Vms() {
        return numL2Vms;
    }

    /** EPTP_CONTROLS. */
    public long eptpControls() {
        return eptpControls;
    }

    /** CONFIG_FLAGS. */
    public long configFlags() {
        return configFlags;
    }

    /** TSC_FREQUENCY in units of 25 MHz. */
    public int tscFrequency() {
        return tscFrequency;
    }

    /** VIRT_MAXPA; 0 where it is not virtualised. */
    public int virtualMaxPa() {
        return virtualMaxPa;
    }

    /** MRCONFIGID, 48 bytes. */
    public byte[] mrConfigId() {
        return mrConfigId.clone();
    }

    /** MROWNER, 48 bytes. */
    public byte[] mrOwner() {
        return mrOwner.clone();
    }

    /** MROWNERCONFIG, 48 bytes. */
    public byte[] mrOwnerConfig() {
        return mrOwnerConfig.clone();
    }

    /** CPUID values that the TD was configured with, two words per configurable leaf. */
    public long[] cpuid() {
        return cpuid.clone();
    }

    /** Virtual IA32_ARCH_CAPABILITIES. */
    public long archCapabilities() {
        return archCapabilities;
    }

    /** Width of a guest physical address, 48 or 52. */
    public int gpaWidth() {
        return (configFlags & FLAG_GPAW) != 0 ? 52 : 48;
    }

    /** The bit that makes a guest address shared. */
    public long sharedBit() {
        return 1L << (gpaWidth() - 1);
    }

    /** Level of the Secure EPT's root page: 3 or 4. */
    public int septRootLevel() {
        int level = (int) (eptpControls >>> 3) & 0x7;
        return level == 0 ? PageInfo.LEVEL_512G : level;
    }

    /** Whether an address is private and within the width the TD may use. */
    public boolean isPrivate(long gpa) {
        int width = virtualMaxPa == 0 ? gpaWidth() : Math.min(virtualMaxPa, gpaWidth());
        return gpa >>> width == 0 && (gpa & sharedBit()) == 0;
    }

    /** Whether an access to a pending page exits to the host rather than raise #VE. */
    public boolean pendingVeDisabled() {
        return (attributes & ATTRIBUTE_SEPT_VE_DISABLE) != 0;
    }

    /** Whether the TD is a debug TD. */
    public boolean isDebug() {
        return (attributes & ATTRIBUTE_DEBUG) != 0;
    }
}
