// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.td;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HexFormat;
import org.junit.jupiter.api.Test;

/** Values of the fact sheet, section 10.1. */
class MeasurementTest {
    private static final byte[] ZERO = new byte[Measurement.CHUNK];

    private final Measurement measurement = new Measurement();

    @Test
    void finish_nothingMeasured_hashOfNothing() {
        assertThat(finish())
                .isEqualTo(
                        "38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da"
                                + "274edebfe76f65fbd51ad2f14898b95b");
    }

    @Test
    void finish_onePage_asInTheFacts() {
        measurement.addPage(0x1000);

        assertThat(finish())
                .isEqualTo(
                        "fcdabf6fdf38b87d2e3a89b1ab68c242abb261dffa70ef6f1dc2220c2752d272"
                                + "9cdf1be92afc2e0e4297f04e2b629552");
    }

    @Test
    void finish_onePageAndOneChunk_asInTheFacts() {
        measurement.addPage(0x1000);
        measurement.extend(0x1000, ZERO);

        assertThat(finish())
                .isEqualTo(
                        "2c77263d5f3029b96de02eeb35fa900c302b0218e1a176dadc3e50e0dd2c559b"
                                + "fac1f1a45f6b1a365b0cdb9a6c8ce5ba");
    }

    @Test
    void finish_onePageAndAllChunks_asInTheFacts() {
        measurement.addPage(0x1000);
        for (int chunk = 0; chunk < 16; chunk++) {
            measurement.extend(0x1000 + (long) Measurement.CHUNK * chunk, ZERO);
        }

        assertThat(finish())
                .isEqualTo(
                        "ca76d5541328afef8bc9364261c515aebef90412ebc56ca0c2260ec531a14462"
                                + "cfc0c11de61d84292ddf8ca871da1ff1");
    }

    @Test
    void sha384_zeroRegisterExtendedWithZero_asInTheFacts() {
        byte[] value = Measurement.sha384().digest(new byte[2 * Measurement.BYTES]);

        assertThat(HexFormat.of().formatHex(value))
                .isEqualTo(
                        "f57bb7ed82c6ae4a29e6c9879338c592c7d42a39135583e8ccbe3940f2344b0e"
                                + "b6eb8503db0ffd6a39ddd00cd07d8317");
    }

    private String finish() {
        return HexFormat.of().formatHex(measurement.finish());
    }
}
