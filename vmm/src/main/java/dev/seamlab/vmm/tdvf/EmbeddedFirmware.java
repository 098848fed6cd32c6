// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm.tdvf;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * The firmware that comes with the house: a TDVF image of three pages, built by code and always the
 * same, so that its MRTD never changes. It is no real firmware: the model executes guest programs,
 * not machine code. The bytes are there to be loaded and measured.
 *
 * <p>Low-memory sections stand where OVMF has them (facts: module ABI section 11.3), in small.
 */
final class EmbeddedFirmware {
    static final TdvfImage IMAGE = TdvfImage.parse("embedded", build());

    private static final int CFV_BYTES = 0x1000;
    private static final int BFV_BYTES = 0x2000;
    private static final int SIZE = CFV_BYTES + BFV_BYTES;
    private static final int DESCRIPTOR = CFV_BYTES + 0x100;

    private EmbeddedFirmware() {}

    private static List<TdvfSection> sections() {
        long base = TdvfImage.FIRMWARE_END - SIZE;
        return List.of(
                new TdvfSection(
                        TdvfSection.Type.BFV,
                        TdvfSection.MR_EXTEND,
                        CFV_BYTES,
                        BFV_BYTES,
                        base + CFV_BYTES,
                        BFV_BYTES),
                new TdvfSection(TdvfSection.Type.CFV, 0, 0, CFV_BYTES, base, CFV_BYTES),
                new TdvfSection(TdvfSection.Type.TEMP_MEM, 0, 0, 0, 0x81_0000, 0x2000),
                new TdvfSection(TdvfSection.Type.TEMP_MEM, 0, 0, 0, 0x80_B000, 0x1000),
                new TdvfSection(TdvfSection.Type.TD_HOB, 0, 0, 0, 0x80_9000, 0x2000));
    }

    private static byte[] build() {
        byte[] bytes = new byte[SIZE];
        ByteBuffer image = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        image.put(0, "Seamlab CFV".getBytes(StandardCharsets.US_ASCII));
        image.put(CFV_BYTES, "Seamlab BFV".getBytes(StandardCharsets.US_ASCII));

        List<TdvfSection> sections = sections();
        image.put(DESCRIPTOR - TdvfLayout.GUID_BYTES, TdvfLayout.descriptorGuid());
        image.position(DESCRIPTOR);
        image.putInt(TdvfLayout.SIGNATURE);
        image.putInt(TdvfLayout.HEADER_BYTES + TdvfLayout.SECTION_BYTES * sections.size());
        image.putInt(TdvfLayout.VERSION);
        image.putInt(sections.size());
        for (TdvfSection section : sections) {
            image.putInt(section.dataOffset()).putInt(section.rawSize());
            image.putLong(section.memoryAddress()).putLong(section.memorySize());
            image.putInt(section.type().ordinal()).putInt(section.attributes());
        }

        // The GUIDed table, read backwards from its footer.
        int end = SIZE - TdvfLayout.FOOTER_LENGTH_FROM_END;
        int entry = TdvfLayout.ENTRY_OVERHEAD + 4;
        image.position(end - entry);
        image.putInt(SIZE - DESCRIPTOR).putShort((short) entry).put(TdvfLayout.metadataGuid());
        image.putShort((short) (entry + TdvfLayout.ENTRY_OVERHEAD)).put(TdvfLayout.footerGuid());

        // Reset vector: hlt, jump back.
        image.put(SIZE - 16, new byte[] {(byte) 0xF4, (byte) 0xEB, (byte) 0xFD});
        return bytes;
    }
}
