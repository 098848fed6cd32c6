// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.vectors;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The emulated module answers as the reference module did when the vectors were recorded. */
class RecordedVectorsTest {
    private static final int SHOWN = 20;

    @ParameterizedTest
    @ValueSource(
            strings = {
                "01-static-lifecycle",
                "02-dpamt-lifecycle",
                "03-pamt-errors-static",
                "06-mem-ordering-dpamt",
                "08-teardown-ordering-dpamt",
                "10-mrtd-static",
                "13-rdmd-static",
                "15-sys-ordering",
                "16-vcpu-dpamt",
                "18-random-dpamt-0001",
                "18-random-static-0001",
                "20-leaf-by-td-state-static"
            })
    void hostScenario_everyRegisterOfEveryStep_asRecorded(String name) {
        VectorReplay replay = new VectorReplay(VectorFile.resource(name));

        assertThat(replay.run(SHOWN)).isEmpty();
    }
}
