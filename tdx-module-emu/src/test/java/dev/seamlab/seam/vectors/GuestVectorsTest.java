// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.vectors;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The emulated module lets guests run as the reference module did: registers at the host, registers
 * in the guest, exceptions, and what other CPUs can do meanwhile.
 */
class GuestVectorsTest {
    private static final int SHOWN = 20;

    @ParameterizedTest
    @ValueSource(
            strings = {
                "21-guest-accept-dpamt",
                "23-vp-enter-static",
                "24-random-guest-static-0201"
            })
    void guestScenario_everyRegisterOfEveryStep_asRecorded(String name) {
        VectorReplay replay = new VectorReplay(VectorFile.resource(name));

        assertThat(replay.run(SHOWN)).isEmpty();
    }
}
