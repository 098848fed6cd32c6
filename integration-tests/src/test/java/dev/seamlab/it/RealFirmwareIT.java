// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.it;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.google.protobuf.ByteString;
import dev.seamlab.v1.Firmware;
import dev.seamlab.v1.TrustDomain;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** Debian's OVMF, where its package {@code ovmf} is installed. */
class RealFirmwareIT {
    private static final Path OVMF = Path.of("/usr/share/ovmf/OVMF.fd");

    @Test
    void create_onOvmf_hasTheMrtdThatTheImageAloneTells() throws IOException {
        assumeTrue(Files.isReadable(OVMF), "package ovmf is not installed");
        byte[] image = Files.readAllBytes(OVMF);
        try (Server server = Server.start()) {
            TrustDomain created =
                    server.create(
                            "ovmf",
                            Server.smallTdRunning("boot-lazy")
                                    .setMemoryBytes(64L << 20)
                                    .setFirmware(
                                            Firmware.newBuilder()
                                                    .setImage(ByteString.copyFrom(image))));
            assertThat(created.getMrtd().toByteArray()).isEqualTo(IndependentMrtd.of(image));
            assertThat(created.getFirmware().getSizeBytes()).isEqualTo(image.length);

            // One bit of the measured volume changes the measurement.
            byte[] other = image.clone();
            other[0x20000] ^= 1;
            TrustDomain changed =
                    server.create(
                            "ovmf-changed",
                            Server.smallTdRunning("boot-lazy")
                                    .setMemoryBytes(64L << 20)
                                    .setFirmware(
                                            Firmware.newBuilder()
                                                    .setImage(ByteString.copyFrom(other))));
            assertThat(changed.getMrtd())
                    .isNotEqualTo(created.getMrtd())
                    .isEqualTo(ByteString.copyFrom(IndependentMrtd.of(other)));
        }
    }

    @Test
    void demo_onOvmf_endsWithEverythingBack() {
        assumeTrue(Files.isReadable(OVMF), "package ovmf is not installed");
        Application.Result result = Application.run("demo", "--firmware", OVMF.toString());
        assertThat(result.out()).contains("audit: 0 findings");
        assertThat(result.exitCode()).isZero();
    }
}
