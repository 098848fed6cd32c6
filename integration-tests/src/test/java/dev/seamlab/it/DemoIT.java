// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.it;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class DemoIT {
    @Test
    void demo_asANewUserRunsIt_tellsTheMemoryStoryAndCleansUp() {
        Application.Result result = Application.run("demo");
        assertThat(result.exitCode()).as(result.err()).isZero();
        assertThat(result.out())
                .contains("static", "dynamic")
                .contains("dynamic PAMT: 0 bytes")
                .contains("audit: 0 findings");
    }

    @Test
    void demo_onAStaticHost_needsNoPairs() {
        Application.Result result = Application.run("demo", "--preset=static");
        assertThat(result.exitCode()).as(result.err()).isZero();
        assertThat(result.out()).contains("audit: 0 findings");
    }
}
