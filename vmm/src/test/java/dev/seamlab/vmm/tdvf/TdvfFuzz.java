// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm.tdvf;

import dev.seamlab.machine.Addresses;
import java.util.Arrays;
import java.util.List;

/**
 * Fuzz target: a TDVF image. It is read, and then a VMM can load it without another look; or it is
 * refused with the field that is wrong. Nothing else comes out.
 *
 * <p>The first byte of the input is the number of 4K pages; the others stand at the end of the
 * image, where its metadata are found from, with zeros before them.
 */
public final class TdvfFuzz {
    private static final int MOST_PAGES = 8;
    private static final long MOST_MEMORY = 256L << 20;

    private TdvfFuzz() {}

    /** Called by the fuzzer, and by the test that runs the kept inputs. */
    public static void fuzzerTestOneInput(byte[] input) {
        byte[] image = image(input);
        TdvfImage parsed;
        try {
            parsed = TdvfImage.parse("fuzz", image);
        } catch (InvalidFirmwareException refused) {
            check(!refused.field().isBlank(), "a refusal without field");
            return;
        }
        checkSections(parsed.sections(), image.length);
        checkContents(parsed, image);
        check(parsed.hob().memorySize() > 0, "no place for the HOBs");
        check(
                TdvfImage.parse("again", parsed.bytes()).sections().equals(parsed.sections()),
                "read differently the second time");
    }

    private static byte[] image(byte[] input) {
        int pages = input.length == 0 ? 1 : 1 + (input[0] & 0xFF) % MOST_PAGES;
        byte[] image = new byte[pages * (int) Addresses.PAGE_SIZE];
        int length = Math.min(Math.max(0, input.length - 1), image.length);
        System.arraycopy(input, input.length - length, image, image.length - length, length);
        return image;
    }

    private static void checkSections(List<TdvfSection> sections, int size) {
        long all = 0;
        int hobs = 0;
        boolean reset = false;
        for (TdvfSection section : sections) {
            all += section.memorySize();
            hobs += section.type() == TdvfSection.Type.TD_HOB ? 1 : 0;
            reset |=
                    section.memoryAddress() <= TdvfLayout.RESET_VECTOR
                            && section.memoryEnd() > TdvfLayout.RESET_VECTOR;
            check(
                    section.memoryAddress() >= 0
                            && section.memoryAddress() % 4096 == 0
                            && section.memorySize() % 4096 == 0
                            && section.memorySize() > 0
                            && section.memoryEnd() <= TdvfImage.FIRMWARE_END,
                    "odd memory: " + section);
            check(
                    section.rawSize() >= 0
                            && section.rawSize() <= section.memorySize()
                            && section.dataOffset() >= 0
                            && (long) section.dataOffset() + section.rawSize() <= size,
                    "data outside: " + section);
        }
        check(all <= MOST_MEMORY, all + " bytes of memory");
        check(hobs == 1, hobs + " HOB sections");
        check(reset, "nothing at the reset vector");
        List<TdvfSection> sorted =
                sections.stream()
                        .sorted((a, b) -> Long.compare(a.memoryAddress(), b.memoryAddress()))
                        .toList();
        for (int i = 1; i < sorted.size(); i++) {
            check(
                    sorted.get(i - 1).memoryEnd() <= sorted.get(i).memoryAddress(),
                    "overlap: " + sorted);
        }
    }

    /** First and last page of each section are the image's bytes, and zeros behind them. */
    private static void checkContents(TdvfImage parsed, byte[] image) {
        byte[] page = new byte[(int) Addresses.PAGE_SIZE];
        for (TdvfSection section : parsed.sections()) {
            for (long index : new long[] {0, section.memorySize() / page.length - 1}) {
                Arrays.fill(page, (byte) 0x5A);
                parsed.copyPage(section, index, page);
                for (int i = 0; i < page.length; i++) {
                    long at = index * page.length + i;
                    byte expected =
                            at < section.rawSize() ? image[section.dataOffset() + (int) at] : 0;
                    check(page[i] == expected, "byte " + at + " of " + section);
                }
            }
        }
    }

    private static void check(boolean holds, String otherwise) {
        if (!holds) {
            throw new AssertionError(otherwise);
        }
    }
}
