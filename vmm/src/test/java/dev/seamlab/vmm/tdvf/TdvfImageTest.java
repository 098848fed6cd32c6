// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm.tdvf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.Stream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class TdvfImageTest {
    /** Where the embedded image has its descriptor. */
    private static final int DESCRIPTOR = 0x1100;

    private static final int SECTIONS = DESCRIPTOR + 16;
    private static final int SIZE = 0x3000;

    /** Start of the GUIDed table: 22 bytes of entry before the footer's length field. */
    private static final int TABLE = SIZE - 0x32 - 22;

    private static final byte[] GOOD = TdvfImage.embedded().bytes();

    @Test
    void embedded_alwaysTheSame_isAFewPages() {
        TdvfImage image = TdvfImage.embedded();
        assertThat(image.size()).isEqualTo(SIZE);
        assertThat(image.base()).isEqualTo(0xFFFF_D000L);
        assertThat(image.pages()).isEqualTo(8);
        assertThat(image.lowRamEnd()).isEqualTo(0x81_2000L);
        assertThat(image.sections())
                .extracting(TdvfSection::type)
                .containsExactly(
                        TdvfSection.Type.BFV,
                        TdvfSection.Type.CFV,
                        TdvfSection.Type.TEMP_MEM,
                        TdvfSection.Type.TEMP_MEM,
                        TdvfSection.Type.TD_HOB);
        assertThat(TdvfImage.parse("again", GOOD).sections()).isEqualTo(image.sections());
    }

    @Test
    void parse_withoutGuidTable_fallsBackToTheOldOffset() {
        byte[] image = GOOD.clone();
        Arrays.fill(image, TABLE, SIZE - 0x20, (byte) 0);
        put(image, SIZE - 0x20, DESCRIPTOR);
        assertThat(TdvfImage.parse("old", image).sections())
                .isEqualTo(TdvfImage.embedded().sections());
    }

    @Test
    void parse_callerChangesTheBytesLater_doesNotFollow() {
        byte[] image = GOOD.clone();
        TdvfImage parsed = TdvfImage.parse("copy", image);
        image[0] ^= 1;
        assertThat(parsed.bytes()).isEqualTo(GOOD);
    }

    static Stream<Arguments> defects() {
        int bfv = SECTIONS;
        int cfv = SECTIONS + 32;
        int temp = SECTIONS + 64;
        int hob = SECTIONS + 128;
        return Stream.of(
                Arguments.of("signature", DESCRIPTOR, 0x12345678, "signature"),
                Arguments.of("length", DESCRIPTOR + 4, 15, "length"),
                Arguments.of("version", DESCRIPTOR + 8, 2, "version"),
                Arguments.of("one section", DESCRIPTOR + 12, 1, "number of sections"),
                Arguments.of("many sections", DESCRIPTOR + 12, -1, "number of sections"),
                Arguments.of("table points out", TABLE, -4, "metadata offset"),
                Arguments.of("data offset", bfv, 0x2FFF, "section[0].data_offset"),
                Arguments.of("no data", bfv + 4, 0, "section[0].raw_size"),
                Arguments.of("data larger", bfv + 4, 0x2001, "section[0].raw_size"),
                Arguments.of("data in TEMP_MEM", temp + 4, 1, "section[2].raw_size"),
                Arguments.of("unaligned", cfv + 8, 0xFFFF_D001, "section[1].memory_address"),
                Arguments.of("outside", cfv + 8, 0x1000_0000, "section[1].memory_address"),
                Arguments.of("in the hole", temp + 8, 0x8000_0000, "section[2].memory_address"),
                Arguments.of("high address", temp + 12, 1, "section[2].memory_address"),
                Arguments.of("negative address", temp + 12, -1, "section[2].memory_address"),
                Arguments.of("no memory", temp + 16, 0, "section[2].memory_size"),
                Arguments.of("odd memory", temp + 16, 0x1001, "section[2].memory_size"),
                Arguments.of("huge memory", temp + 20, 1, "section[2].memory_size"),
                Arguments.of("negative memory", temp + 20, -1, "section[2].memory_size"),
                Arguments.of("type", temp + 24, 4, "section[2].type"),
                Arguments.of("attributes", temp + 28, 2, "section[2].attributes"),
                Arguments.of("overlap", hob + 8, 0x81_0000, "section[4].memory_address"),
                Arguments.of("two HOBs", temp + 24, 2, "sections"));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("defects")
    void parse_oneDefect_namesTheField(String name, int at, int value, String field) {
        byte[] image = GOOD.clone();
        put(image, at, value);
        InvalidFirmwareException refused =
                catchThrowableOfType(
                        InvalidFirmwareException.class, () -> TdvfImage.parse(name, image));
        assertThat(refused).isNotNull();
        assertThat(refused.field()).isEqualTo(field);
        assertThat(refused).hasMessageContaining("; ");
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 4095, 4097, 0x3001})
    void parse_oddSize_isRefused(int size) {
        assertThatThrownBy(() -> TdvfImage.parse("odd", Arrays.copyOf(GOOD, size)))
                .isInstanceOf(InvalidFirmwareException.class)
                .hasMessageContaining("image size");
    }

    @Property(tries = 3000)
    void parse_someBytesDamaged_isReadOrRefusedAndNothingElse(
            @ForAll long seed, @ForAll @IntRange(min = 1, max = 6) int damages) {
        Random random = new Random(seed);
        byte[] image = GOOD.clone();
        for (int i = 0; i < damages; i++) {
            int at =
                    random.nextBoolean()
                            ? DESCRIPTOR + random.nextInt(176)
                            : SIZE - 0x60 + random.nextInt(0x60);
            image[at] = (byte) random.nextInt();
        }
        try {
            TdvfImage parsed = TdvfImage.parse("damaged", image);
            byte[] page = new byte[4096];
            for (TdvfSection section : parsed.sections()) {
                assertThat(section.memorySize()).isBetween(4096L, 256L << 20);
                parsed.copyPage(section, 0, page);
                parsed.copyPage(section, section.memorySize() / 4096 - 1, page);
            }
        } catch (InvalidFirmwareException refused) {
            assertThat(refused.field()).isNotBlank();
        }
    }

    private static void put(byte[] image, int at, int value) {
        ByteBuffer.wrap(image).order(ByteOrder.LITTLE_ENDIAN).putInt(at, value);
    }
}
