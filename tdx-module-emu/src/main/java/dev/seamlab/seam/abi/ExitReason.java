// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.abi;

/** VMX basic exit reasons that the host sees in RAX bits 31:0 of VP.ENTER (facts: section 2.4). */
public final class ExitReason {
    public static final int EXCEPTION_OR_NMI = 0;
    public static final int EXTERNAL_INTERRUPT = 1;
    public static final int TRIPLE_FAULT = 2;
    public static final int HLT = 12;
    public static final int EPT_VIOLATION = 48;
    public static final int EPT_MISCONFIGURATION = 49;
    public static final int TDCALL = 77;

    /** Exit qualification of an EPT violation: what the guest tried. */
    public static final long QUALIFICATION_READ = 1;

    public static final long QUALIFICATION_WRITE = 1 << 1;
    public static final long QUALIFICATION_FETCH = 1 << 2;

    /** Extended exit qualification, type field (RDX bits 3:0). */
    public static final int EXTENDED_NONE = 0;

    public static final int EXTENDED_ACCEPT = 1;
    public static final int EXTENDED_ATTR_WR = 5;
    public static final int EXTENDED_PENDING_EPT_VIOLATION = 6;

    private ExitReason() {}
}
