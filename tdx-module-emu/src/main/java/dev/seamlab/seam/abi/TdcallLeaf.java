// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.abi;

import org.jspecify.annotations.Nullable;

/** The guest-side leaves (TDCALL, TDG.*) by number (facts: section 2.1). */
public enum TdcallLeaf {
    VP_VMCALL(0, "TDG.VP.VMCALL", 0),
    VP_INFO(1, "TDG.VP.INFO", 0),
    MR_RTMR_EXTEND(2, "TDG.MR.RTMR.EXTEND", 0),
    VP_VEINFO_GET(3, "TDG.VP.VEINFO.GET", 2),
    MR_REPORT(4, "TDG.MR.REPORT", 0),
    VP_CPUIDVE_SET(5, "TDG.VP.CPUIDVE.SET", 0),
    MEM_PAGE_ACCEPT(6, "TDG.MEM.PAGE.ACCEPT", 0),
    VM_RD(7, "TDG.VM.RD", 1),
    VM_WR(8, "TDG.VM.WR", 0),
    VP_RD(9, "TDG.VP.RD", 0),
    VP_WR(10, "TDG.VP.WR", 0),
    SYS_RD(11, "TDG.SYS.RD", 0),
    SYS_RDALL(12, "TDG.SYS.RDALL", 0),
    SERVTD_RD(18, "TDG.SERVTD.RD", 0),
    SERVTD_WR(20, "TDG.SERVTD.WR", 0),
    MR_VERIFYREPORT(22, "TDG.MR.VERIFYREPORT", 0),
    MEM_PAGE_ATTR_RD(23, "TDG.MEM.PAGE.ATTR.RD", 0),
    MEM_PAGE_ATTR_WR(24, "TDG.MEM.PAGE.ATTR.WR", 0),
    VP_ENTER(25, "TDG.VP.ENTER", 0),
    VP_INVEPT(26, "TDG.VP.INVEPT", 0),
    VP_INVVPID(27, "TDG.VP.INVVPID", 0);

    private static final @Nullable TdcallLeaf[] BY_NUMBER = new @Nullable TdcallLeaf[32];

    static {
        for (TdcallLeaf leaf : values()) {
            BY_NUMBER[leaf.number] = leaf;
        }
    }

    private final int number;
    private final String abiName;
    private final int maxVersion;

    TdcallLeaf(int number, String abiName, int maxVersion) {
        this.number = number;
        this.abiName = abiName;
        this.maxVersion = maxVersion;
    }

    /** Leaf number: RAX bits 15:0. */
    public int number() {
        return number;
    }

    /** Name as the specification writes it. */
    public String abiName() {
        return abiName;
    }

    /** Highest version that is accepted. */
    public int maxVersion() {
        return maxVersion;
    }

    /** The leaf with this number, or null. */
    public static @Nullable TdcallLeaf of(int number) {
        return number >= 0 && number < BY_NUMBER.length ? BY_NUMBER[number] : null;
    }
}
