// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.init;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.machine.profile.BuiltInProfiles;
import dev.seamlab.machine.profile.MachineProfile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PamtLayoutTest {
    private static final PamtSizes SIZES = new PamtSizes(16, 16, 16, 1);
    private static final long GIB = 1L << 30;

    /** The table of facts: Linux sheet section 6.1. */
    @ParameterizedTest
    @CsvSource({
        "64, 268435456, 524288, 4096, 268963840, 2097152, 2625536, 2564",
        "256, 1073741824, 2097152, 4096, 1075843072, 8388608, 10489856, 10244",
        "1024, 4294967296, 8388608, 16384, 4303372288, 33554432, 41959424, 40976",
        "2048, 8589934592, 16777216, 32768, 8606744576, 67108864, 83918848, 81952",
        "6144, 25769803776, 50331648, 98304, 25820233728, 201326592, 251756544, 245856"
    })
    void of_oneTdmr_hasTheSizesOfTheSheet(
            long gib,
            long static4k,
            long level2m,
            long level1g,
            long staticTotal,
            long bitmap,
            long dynamicTotal,
            long dynamicKb) {
        PamtLayout fixed = PamtLayout.of(gib * GIB, SIZES, false);
        assertThat(fixed).isEqualTo(new PamtLayout(static4k, level2m, level1g));
        assertThat(fixed.total()).isEqualTo(staticTotal);
        PamtLayout dynamic = PamtLayout.of(gib * GIB, SIZES, true);
        assertThat(dynamic).isEqualTo(new PamtLayout(bitmap, level2m, level1g));
        assertThat(dynamic.total()).isEqualTo(dynamicTotal);
        assertThat(dynamic.total() / 1024).isEqualTo(dynamicKb);
    }

    @Test
    void server256g_staticPamt_is1050644Kilobytes() throws TdxInitException {
        MachineProfile profile = BuiltInProfiles.byName("server-256g");
        MemoryList memory = MemoryList.of(profile.nodes());
        long bytes =
                TdmrRange.covering(memory.blocks(), 64).stream()
                        .mapToLong(range -> PamtLayout.of(range.size(), SIZES, false).total())
                        .sum();
        assertThat(bytes / 1024).isEqualTo(1_050_644);
    }

    @Test
    void of_moreBitsPerPage_makesALargerBitmapOnly() {
        PamtSizes twoBits = new PamtSizes(16, 16, 16, 2);
        assertThat(PamtLayout.of(64 * GIB, twoBits, true))
                .isEqualTo(new PamtLayout(4_194_304, 524_288, 4_096));
    }
}
