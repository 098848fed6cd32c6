// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.seamlab.host.HostPolicy.Install;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class PresetTest {
    @ParameterizedTest
    @EnumSource
    void byName_itsId_isThePreset(Preset preset) {
        assertThat(Preset.byName(preset.id())).isSameAs(preset);
        assertThat(preset.description()).isNotBlank();
        assertThat(HostPolicy.of(preset)).isEqualTo(preset.policy());
    }

    @Test
    void byName_unknown_namesAll() {
        assertThatThrownBy(() -> Preset.byName("v5"))
                .hasMessage(
                        "no preset is called \"v5\"; there are v4, v4-as-posted, v4-base, v6,"
                                + " merged, static");
    }

    @ParameterizedTest
    @EnumSource
    void with_anotherInstallTime_changesNothingElse(Install install) {
        HostPolicy policy = Preset.V6.policy().with(install);
        assertThat(policy.install()).isEqualTo(install);
        assertThat(policy.with(Install.AT_FAULT)).isEqualTo(Preset.V6.policy());
    }
}
