// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm.tdvf;

import dev.seamlab.machine.Addresses;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Reads the metadata of a TDVF image. Trusts nothing: every offset and size is checked before it is
 * used, in long arithmetic (facts: module ABI sections 11.1 and 11.2).
 */
final class TdvfParser {
    /** More sections than any firmware has. */
    private static final int MAX_SECTIONS = 64;

    /** Bound for all sections together, so that a bad image cannot ask for endless memory. */
    private static final long MAX_MEMORY = 256L << 20;

    private final ByteBuffer image;
    private final int size;

    TdvfParser(byte[] bytes) {
        this.image = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        this.size = bytes.length;
    }

    List<TdvfSection> parse() {
        if (size < Addresses.PAGE_SIZE || size > TdvfImage.MAX_BYTES || size % 4096 != 0) {
            throw bad(
                    "image size",
                    "is " + size + " bytes",
                    "an image has whole 4 KiB pages and at most " + TdvfImage.MAX_BYTES + " bytes");
        }
        long at = descriptor();
        int count = header(at);
        List<TdvfSection> sections = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            long entry = at + TdvfLayout.HEADER_BYTES + (long) i * TdvfLayout.SECTION_BYTES;
            sections.add(section((int) entry, "section[" + i + "]"));
        }
        checkTogether(sections);
        return sections;
    }

    /** Offset of the descriptor's signature. */
    private long descriptor() {
        byte[] guid = new byte[TdvfLayout.GUID_BYTES];
        image.get(size - TdvfLayout.FOOTER_GUID_FROM_END, guid);
        if (Arrays.equals(guid, TdvfLayout.footerGuid())) {
            long fromEnd = fromGuidTable();
            if (fromEnd >= 0) {
                if (fromEnd < TdvfLayout.HEADER_BYTES || fromEnd > size) {
                    throw bad(
                            "metadata offset",
                            "is " + fromEnd + " bytes from the end of an image of " + size,
                            "the GUIDed table must point inside the image");
                }
                return size - fromEnd;
            }
        }
        long fromStart = unsigned(size - TdvfLayout.OLD_OFFSET_FROM_END);
        if (fromStart + TdvfLayout.HEADER_BYTES > size
                || image.getInt((int) fromStart) != TdvfLayout.SIGNATURE) {
            throw bad(
                    "metadata",
                    "no TDX entry in the GUIDed table, and no descriptor where the word at end-0x20"
                            + " points",
                    "use an image built for TDX, such as OVMF with TDX support");
        }
        return fromStart;
    }

    /** Distance of the descriptor from the end, or -1 where the table has no such entry. */
    private long fromGuidTable() {
        int end = size - TdvfLayout.FOOTER_LENGTH_FROM_END;
        int left = Short.toUnsignedInt(image.getShort(end)) - TdvfLayout.ENTRY_OVERHEAD;
        if (left < 0 || left > end) {
            throw bad(
                    "GUIDed table length",
                    "does not fit the image",
                    "the length counts the whole table with its footer");
        }
        byte[] guid = new byte[TdvfLayout.GUID_BYTES];
        int at = end;
        while (left >= TdvfLayout.ENTRY_OVERHEAD) {
            image.get(at - TdvfLayout.GUID_BYTES, guid);
            int length = Short.toUnsignedInt(image.getShort(at - TdvfLayout.ENTRY_OVERHEAD));
            if (length < TdvfLayout.ENTRY_OVERHEAD || length > left) {
                throw bad(
                        "GUIDed table entry",
                        "has length " + length + " with " + left + " bytes left",
                        "an entry counts its data, its length field and its GUID");
            }
            if (Arrays.equals(guid, TdvfLayout.metadataGuid())) {
                if (length != TdvfLayout.ENTRY_OVERHEAD + 4) {
                    throw bad("metadata entry", "has length " + length, "it has 22 bytes");
                }
                return unsigned(at - length);
            }
            at -= length;
            left -= length;
        }
        return -1;
    }

    /** Number of sections. */
    private int header(long at) {
        int start = (int) at;
        if (at + TdvfLayout.HEADER_BYTES > size || image.getInt(start) != TdvfLayout.SIGNATURE) {
            throw bad("signature", "is not \"TDVF\"", "the metadata offset must point at it");
        }
        long length = unsigned(start + 4);
        long version = unsigned(start + 8);
        long count = unsigned(start + 12);
        if (version != TdvfLayout.VERSION) {
            throw bad("version", "is " + version, "only version 1 is known");
        }
        if (count < 2 || count > MAX_SECTIONS) {
            throw bad(
                    "number of sections",
                    "is " + count,
                    "an image has 2 to " + MAX_SECTIONS + " sections");
        }
        long expected = TdvfLayout.HEADER_BYTES + TdvfLayout.SECTION_BYTES * count;
        if (length != expected) {
            throw bad(
                    "length",
                    "is " + length + " for " + count + " sections",
                    "it must be " + expected + " (16 + 32 per section)");
        }
        if (at + length > size) {
            throw bad("length", "reaches beyond the image", "the descriptor must lie inside it");
        }
        return (int) count;
    }

    private TdvfSection section(int at, String field) {
        long offset = unsigned(at);
        long raw = unsigned(at + 4);
        long address = image.getLong(at + 8);
        long memory = image.getLong(at + 16);
        long number = unsigned(at + 24);
        long attributes = unsigned(at + 28);
        TdvfSection.Type[] types = TdvfSection.Type.values();
        if (number >= types.length) {
            throw bad(
                    field + ".type",
                    "is " + number,
                    "only BFV (0), CFV (1), TD_HOB (2) and TEMP_MEM (3) can be loaded");
        }
        TdvfSection.Type type = types[(int) number];
        checkMemory(field, type, address, memory);
        checkData(field, type, offset, raw, memory);
        if ((attributes & ~TdvfSection.MR_EXTEND) != 0) {
            throw bad(
                    field + ".attributes",
                    "is 0x" + Long.toHexString(attributes),
                    "only bit 0 (MR_EXTEND) goes with a " + type + " section");
        }
        return new TdvfSection(type, (int) attributes, (int) offset, (int) raw, address, memory);
    }

    private void checkMemory(String field, TdvfSection.Type type, long address, long memory) {
        if (!Addresses.isAligned(address, Addresses.PAGE_SIZE)) {
            throw bad(
                    field + ".memory_address",
                    "is " + Addresses.show(address),
                    "it must be 4 KiB aligned");
        }
        if (memory <= 0 || memory > MAX_MEMORY || memory % Addresses.PAGE_SIZE != 0) {
            throw bad(
                    field + ".memory_size",
                    "is 0x" + Long.toHexString(memory),
                    "it must be whole 4 KiB pages, at most " + MAX_MEMORY + " bytes");
        }
        boolean inImage = type == TdvfSection.Type.BFV || type == TdvfSection.Type.CFV;
        long from = inImage ? TdvfImage.FIRMWARE_END - size : 0;
        long to = inImage ? TdvfImage.FIRMWARE_END : TdvfImage.LOW_RAM_LIMIT;
        if (address < from || address > to - memory) {
            throw bad(
                    field + ".memory_address",
                    "is " + Addresses.show(address),
                    "a "
                            + type
                            + " section lies between "
                            + Addresses.show(from)
                            + " and "
                            + Addresses.show(to));
        }
    }

    private void checkData(
            String field, TdvfSection.Type type, long offset, long raw, long memory) {
        boolean needsData = type == TdvfSection.Type.BFV || type == TdvfSection.Type.CFV;
        if (needsData && raw == 0) {
            throw bad(field + ".raw_size", "is 0", "a " + type + " section has data");
        }
        if (!needsData && raw != 0) {
            throw bad(field + ".raw_size", "is " + raw, "a " + type + " section has no data");
        }
        if (raw > memory) {
            throw bad(
                    field + ".raw_size",
                    "is " + raw + ", more than the section's memory",
                    "memory_size must hold the data");
        }
        if (offset + raw > size) {
            throw bad(
                    field + ".data_offset",
                    "0x" + Long.toHexString(offset) + " + " + raw + " is beyond the image",
                    "the data must lie inside it");
        }
    }

    private void checkTogether(List<TdvfSection> sections) {
        long hobs = sections.stream().filter(s -> s.type() == TdvfSection.Type.TD_HOB).count();
        if (hobs != 1) {
            throw bad("sections", "there are " + hobs + " TD_HOB sections", "there must be one");
        }
        boolean starts =
                sections.stream()
                        .anyMatch(s ->
                                s.type() == TdvfSection.Type.BFV
                                        && s.memoryEnd() == TdvfImage.FIRMWARE_END);
        if (!starts) {
            throw bad(
                    "sections",
                    "no BFV section holds the reset vector "
                            + Addresses.show(TdvfLayout.RESET_VECTOR),
                    "one must end at 4 GiB");
        }
        long all = 0;
        for (int i = 0; i < sections.size(); i++) {
            all += sections.get(i).memorySize();
            for (int j = 0; j < i; j++) {
                if (sections.get(i).overlaps(sections.get(j))) {
                    throw bad(
                            "section[" + i + "].memory_address",
                            "overlaps section[" + j + "]",
                            "sections must not share memory");
                }
            }
        }
        if (all > MAX_MEMORY) {
            throw bad(
                    "sections",
                    "need " + all + " bytes of memory together",
                    "at most " + MAX_MEMORY + " are loaded");
        }
    }

    private long unsigned(int at) {
        return Integer.toUnsignedLong(image.getInt(at));
    }

    private static InvalidFirmwareException bad(String field, String problem, String fix) {
        return new InvalidFirmwareException(field, problem, fix);
    }
}
