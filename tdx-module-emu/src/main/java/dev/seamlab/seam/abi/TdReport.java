// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.abi;

/**
 * Offsets in TDREPORT_STRUCT, what TDG.MR.REPORT writes (facts: module ABI section 10.3).
 *
 * <pre>
 *      0 +---------------------------------------------+
 *        | REPORTMACSTRUCT: type, hashes of the two    |
 *        | parts below, REPORTDATA, MAC over all that  |
 *    256 +---------------------------------------------+
 *        | TEE_TCB_INFO, 239 bytes: the module         |
 *    495 +---------------------------------------------+
 *        | reserved, 17 bytes                          |
 *    512 +---------------------------------------------+
 *        | TDINFO, 512 bytes: the TD                   |
 *   1024 +---------------------------------------------+
 * </pre>
 */
public final class TdReport {
    public static final int SIZE = 1024;

    public static final int REPORT_TYPE = 0;
    public static final int TYPE_TDX = 0x81;
    public static final int CPUSVN = 16;
    public static final int CPUSVN_BYTES = 16;
    public static final int TEE_TCB_INFO_HASH = 32;
    public static final int TEE_INFO_HASH = 80;
    public static final int REPORTDATA = 128;
    public static final int REPORTDATA_BYTES = 64;
    public static final int MAC = 224;
    public static final int MAC_BYTES = 32;
    public static final int REPORTMACSTRUCT_BYTES = 256;

    public static final int TEE_TCB_INFO = 256;
    public static final int TEE_TCB_INFO_BYTES = 239;
    public static final int TCB_VALID = TEE_TCB_INFO;
    public static final int TEE_TCB_SVN = TEE_TCB_INFO + 8;
    public static final int MRSEAM = TEE_TCB_INFO + 24;
    public static final int MRSIGNERSEAM = TEE_TCB_INFO + 72;

    public static final int TDINFO = 512;
    public static final int TDINFO_BYTES = 512;
    public static final int ATTRIBUTES = TDINFO;
    public static final int XFAM = TDINFO + 8;
    public static final int MRTD = TDINFO + 16;
    public static final int MRCONFIGID = TDINFO + 64;
    public static final int MROWNER = TDINFO + 112;
    public static final int MROWNERCONFIG = TDINFO + 160;
    public static final int RTMR = TDINFO + 208;

    private TdReport() {}
}
