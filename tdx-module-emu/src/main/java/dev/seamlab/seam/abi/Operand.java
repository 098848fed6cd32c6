// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.abi;

import org.jspecify.annotations.Nullable;

/** What the low half of a status word points at. Source: facts, module ABI section 3.3. */
public enum Operand {
    RAX(0),
    RCX(1),
    RDX(2),
    RBX(3),
    RBP(5),
    RSI(6),
    RDI(7),
    R8(8),
    R9(9),
    R10(10),
    R11(11),
    R12(12),
    R13(13),
    R14(14),
    R15(15),
    ATTRIBUTES(64),
    XFAM(65),
    EXEC_CONTROLS(66),
    EPTP_CONTROLS(67),
    MAX_VCPUS(68),
    CPUID_CONFIG(69),
    TSC_FREQUENCY(70),
    NUM_L2_VMS(71),
    IA32_ARCH_CAPABILITIES_CONFIG(72),
    PAGE(95),
    TDMR_INFO_PA(96),
    GPA_LIST_ENTRY(97),
    MIG_BUFF_LIST_ENTRY(98),
    NEW_PAGE_LIST_ENTRY(99),
    TDR(128),
    TDCX(129),
    TDVPR(130),
    REG_PAGE(132),
    TDCS(144),
    TDVPS(145),
    SEPT_TREE(146),
    SEPT_ENTRY(147),
    RTMR(168),
    TD_EPOCH(169),
    L2_VAPIC_GPA(170),
    MIGSC(171),
    OP_STATE(172),
    MIG(173),
    SERVTD_BINDINGS(174),
    METADATA_FIELD(176),
    NUM_VCPUS(177),
    CPUID_FIXED0_BITMAP(178),
    SYS(184),
    TDMR(185),
    KOT(186),
    KET(187),
    WBCACHE(188);

    private final int id;

    Operand(int id) {
        this.id = id;
    }

    /** Number in the low half of a status word. */
    public int id() {
        return id;
    }

    /** The operand with this number, or null. */
    public static @Nullable Operand of(int id) {
        for (Operand operand : values()) {
            if (operand.id == id) {
                return operand;
            }
        }
        return null;
    }
}
