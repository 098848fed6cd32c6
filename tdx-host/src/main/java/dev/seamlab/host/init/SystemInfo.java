// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.init;

import dev.seamlab.machine.Addresses;
import java.util.List;

/**
 * Global metadata of the module, as the kernel reads it once at bring-up (facts: module ABI section
 * 6.2).
 *
 * @param features0 TDX_FEATURES0
 * @param tdrBytes bytes of a TDR
 * @param tdcsBytes bytes of a TD's control structure without L2 VMs
 * @param tdvpsBytes bytes of a vCPU's control structure without L2 VMs
 */
public record SystemInfo(
        int majorVersion,
        int minorVersion,
        int updateVersion,
        long features0,
        int maxTdmrs,
        int maxReservedPerTdmr,
        PamtSizes pamt,
        int tdrBytes,
        int tdcsBytes,
        int tdvpsBytes,
        long attributesFixed0,
        long attributesFixed1,
        long xfamFixed0,
        long xfamFixed1,
        int maxVcpusPerTd,
        List<CpuidConfig> cpuidConfig) {

    private static final int NO_RBP_MOD = 18;
    private static final int DYNAMIC_PAMT = 36;

    /** Whether a value of TDX_FEATURES0 offers Dynamic PAMT. */
    static boolean offersDynamicPamt(long features0) {
        return (features0 >>> DYNAMIC_PAMT & 1) != 0;
    }

    public SystemInfo {
        cpuidConfig = List.copyOf(cpuidConfig);
    }

    /**
     * One CPUID leaf of which the host may configure bits.
     *
     * @param leaf leaf number
     * @param subleaf subleaf number, or 0xFFFFFFFF (-1) for a leaf without subleaves
     * @param eax configurable bits of EAX, and so on
     */
    public record CpuidConfig(int leaf, int subleaf, int eax, int ebx, int ecx, int edx) {}

    /** Version as people write it, for example {@code 1.5.25}. */
    public String version() {
        return majorVersion + "." + minorVersion + "." + updateVersion;
    }

    /** Whether the module leaves RBP alone; Linux requires it. */
    public boolean preservesRbp() {
        return hasFeature(NO_RBP_MOD);
    }

    /** Whether the module offers Dynamic PAMT. */
    public boolean hasDynamicPamt() {
        return offersDynamicPamt(features0);
    }

    /** Pages to give to a TD beside the TDR. */
    public int tdcsPages() {
        return (int) (tdcsBytes / Addresses.PAGE_SIZE);
    }

    /** Pages to give to a vCPU beside the TDVPR. */
    public int tdcxPages() {
        return (int) (tdvpsBytes / Addresses.PAGE_SIZE) - 1;
    }

    /** Whether a bit of TDX_FEATURES0 is set. */
    public boolean hasFeature(int bit) {
        return (features0 >>> bit & 1) != 0;
    }
}
