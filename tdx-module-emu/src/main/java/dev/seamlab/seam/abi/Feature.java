// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.abi;

/**
 * Bits of TDX_FEATURES0 that have a name (facts: module ABI section 6.3; bits 23 and 51 are named
 * by Linux).
 */
public enum Feature {
    TD_MIGRATION(0),
    TD_PRESERVING(1),
    SERVICE_TD(2),
    TDG_VP_RDWR(3),
    RELAXED_MEM_MNG_CONCURRENCY(4),
    CPUID_VIRT_GUEST_CTRL(5),
    TDX_CONNECT(6),
    TD_PARTITIONING(7),
    LOCAL_ATTESTATION(8),
    TD_ENTRY_ENHANCEMENTS(9),
    HOST_PRIORITY_LOCKS(10),
    CONFIG_IA32_ARCH_CAPS(11),
    PENDING_EPT_VIOLATION_V2(16),
    FMS_CONFIG(17),
    NO_RBP_MOD(18),
    L2_TLB_INVD_OPT(19),
    TOPOLOGY_ENUM(20),
    PARTITIONED_TD_MIGRATION(21),
    CLFLUSH_BEFORE_ALLOC(23),
    EVENT_FILTERING(24),
    ICSSD(25),
    FIXED_CTR12_PROF(26),
    MAXPA_VIRT(27),
    APX(28),
    CPUID2_VIRT(29),
    VE_REDUCTION(30),
    ENHANCED_EVENT_FILTERING(31),
    TDX_CONNECT_PARTITIONING(32),
    MAXGPA_VIRT(33),
    DYNAMIC_PAMT(36),
    FATAL_DIAGNOSTICS(37),
    PAGE_RELEASE(38),
    NRX(39),
    ENHANCED_INTR_STATE(40),
    NON_BLOCKING_EXPORT(41),
    PERF_MASK(42),
    SCAN_EXPORT_RESTORE(43),
    IMPORT_PAGE_STATUS(44),
    ENHANCED_INTR_VIRT(45),
    VE_INFO_INTR_STATE(46),
    UPDATE_COMPATIBILITY(47),
    ENHANCED_DEMOTE_INTERRUPTIBILITY(51);

    private final int bit;

    Feature(int bit) {
        this.bit = bit;
    }

    /** Number of the bit. */
    public int bit() {
        return bit;
    }

    /** Whether a value of TDX_FEATURES0 has it. */
    public boolean isIn(long features0) {
        return (features0 >>> bit & 1) != 0;
    }
}
