// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm.tdvf;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Gpa;
import java.util.Arrays;
import java.util.List;

/**
 * A TDVF image that has been read and found loadable. Immutable.
 *
 * <p>The image ends at 4 GiB, where the reset vector is; BFV and CFV sections stand inside it, the
 * others in low RAM. What a VMM could load beyond that (payload, permanent memory) is refused, as
 * QEMU refuses it.
 */
public final class TdvfImage {
    /** First address above the firmware. */
    public static final @Gpa long FIRMWARE_END = 4 * Addresses.GIB;

    /** Sections outside the image must end here at the latest, so that they always are RAM. */
    public static final @Gpa long LOW_RAM_LIMIT = 2 * Addresses.GIB;

    /** Largest image that is read. */
    public static final int MAX_BYTES = 64 << 20;

    private final String name;
    private final byte[] bytes;
    private final List<TdvfSection> sections;

    private TdvfImage(String name, byte[] bytes, List<TdvfSection> sections) {
        this.name = name;
        this.bytes = bytes;
        this.sections = List.copyOf(sections);
    }

    /**
     * Reads an image.
     *
     * @param name how messages refer to it
     * @throws InvalidFirmwareException naming the first bad field
     */
    public static TdvfImage parse(String name, byte[] image) {
        byte[] bytes = image.clone();
        return new TdvfImage(name, bytes, new TdvfParser(bytes).parse());
    }

    /** The small generated image that needs no file. */
    public static TdvfImage embedded() {
        return EmbeddedFirmware.IMAGE;
    }

    /** How messages refer to it. */
    public String name() {
        return name;
    }

    /** Sections in the order of the table, which is the order of measurement. */
    public List<TdvfSection> sections() {
        return sections;
    }

    /** Size of the image in bytes; a multiple of 4 KiB. */
    public int size() {
        return bytes.length;
    }

    /** Where the image starts in guest memory. */
    public @Gpa long base() {
        return FIRMWARE_END - bytes.length;
    }

    /** Where the hand-off blocks go. */
    public TdvfSection hob() {
        return sections.stream()
                .filter(section -> section.type() == TdvfSection.Type.TD_HOB)
                .findFirst()
                .orElseThrow();
    }

    /** First address above the sections that stand in low RAM. A TD needs at least this much. */
    public @Gpa long lowRamEnd() {
        return sections.stream()
                .mapToLong(TdvfSection::memoryEnd)
                .filter(end -> end <= LOW_RAM_LIMIT)
                .max()
                .orElse(0);
    }

    /** Pages that are added before the TD is finalised. */
    public long pages() {
        return sections.stream().mapToLong(TdvfSection::memorySize).sum() >>> Addresses.PAGE_SHIFT;
    }

    /**
     * Copies one page of a section as it stands in guest memory.
     *
     * @param page number of the page within the section
     * @param into 4096 bytes
     */
    public void copyPage(TdvfSection section, long page, byte[] into) {
        long from = page << Addresses.PAGE_SHIFT;
        int length = Math.clamp(section.rawSize() - from, 0, (int) Addresses.PAGE_SIZE);
        if (length > 0) {
            System.arraycopy(bytes, section.dataOffset() + (int) from, into, 0, length);
        }
        Arrays.fill(into, length, (int) Addresses.PAGE_SIZE, (byte) 0);
    }

    /** A copy of the image. */
    public byte[] bytes() {
        return bytes.clone();
    }

    @Override
    public String toString() {
        return name + " (" + bytes.length + " bytes, " + sections.size() + " sections)";
    }
}
