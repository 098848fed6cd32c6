// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.abi;

/** GHCI: sub-functions of TDG.VP.VMCALL (R11) and their result codes (R10) (facts: section 2.5). */
public final class Tdvmcall {
    public static final long CPUID = 10;
    public static final long HLT = 12;
    public static final long IO = 30;
    public static final long RDMSR = 31;
    public static final long WRMSR = 32;
    public static final long MMIO = 48;
    public static final long GET_TD_VMCALL_INFO = 0x10000;
    public static final long MAP_GPA = 0x10001;
    public static final long GET_QUOTE = 0x10002;
    public static final long REPORT_FATAL_ERROR = 0x10003;
    public static final long SETUP_EVENT_NOTIFY_INTERRUPT = 0x10004;

    public static final long SUCCESS = 0;
    public static final long RETRY = 1;
    public static final long INVALID_OPERAND = 0x8000_0000_0000_0000L;
    public static final long ALIGN_ERROR = 0x8000_0000_0000_0002L;
    public static final long SUBFUNC_UNSUPPORTED = 0x8000_0000_0000_0003L;

    private Tdvmcall() {}
}
