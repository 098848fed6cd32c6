// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm.tdvf;

/**
 * Where things stand in a TDVF image (facts: module ABI sections 11.1 and 11.2). GUIDs are in the
 * byte order of the file.
 *
 * <pre>
 *   ... [entry data][u16 entry length][entry GUID] ... [u16 table length][footer GUID][32 bytes] end
 *   descriptor: "TDVF" u32 length, u32 version, u32 n; n times
 *     u32 data offset, u32 raw size, u64 memory address, u64 memory size, u32 type, u32 attributes
 * </pre>
 */
final class TdvfLayout {
    static final int FOOTER_GUID_FROM_END = 0x30;
    static final int FOOTER_LENGTH_FROM_END = 0x32;
    static final int OLD_OFFSET_FROM_END = 0x20;
    static final int GUID_BYTES = 16;
    static final int LENGTH_BYTES = 2;
    static final int ENTRY_OVERHEAD = GUID_BYTES + LENGTH_BYTES;

    static final int SIGNATURE = 0x4656_4454;
    static final int VERSION = 1;
    static final int HEADER_BYTES = 16;
    static final int SECTION_BYTES = 32;

    /** The reset vector, where a vCPU starts. */
    static final long RESET_VECTOR = 0xFFFF_FFF0L;

    private TdvfLayout() {}

    /** 96b582de-1fb2-45f7-baea-a366c55a082d: the table's footer. */
    static byte[] footerGuid() {
        return new byte[] {
            (byte) 0xDE,
            (byte) 0x82,
            (byte) 0xB5,
            (byte) 0x96,
            (byte) 0xB2,
            0x1F,
            (byte) 0xF7,
            0x45,
            (byte) 0xBA,
            (byte) 0xEA,
            (byte) 0xA3,
            0x66,
            (byte) 0xC5,
            0x5A,
            0x08,
            0x2D
        };
    }

    /** e47a6535-984a-4798-865e-4685a7bf8ec2: says how far from the end the descriptor is. */
    static byte[] metadataGuid() {
        return new byte[] {
            0x35,
            0x65,
            0x7A,
            (byte) 0xE4,
            0x4A,
            (byte) 0x98,
            (byte) 0x98,
            0x47,
            (byte) 0x86,
            0x5E,
            0x46,
            (byte) 0x85,
            (byte) 0xA7,
            (byte) 0xBF,
            (byte) 0x8E,
            (byte) 0xC2
        };
    }

    /** e9eaf9f3-168e-44d5-a8eb-7f4d8738f6ae: stands before the descriptor in OVMF. */
    static byte[] descriptorGuid() {
        return new byte[] {
            (byte) 0xF3,
            (byte) 0xF9,
            (byte) 0xEA,
            (byte) 0xE9,
            (byte) 0x8E,
            0x16,
            (byte) 0xD5,
            0x44,
            (byte) 0xA8,
            (byte) 0xEB,
            0x7F,
            0x4D,
            (byte) 0x87,
            0x38,
            (byte) 0xF6,
            (byte) 0xAE
        };
    }
}
