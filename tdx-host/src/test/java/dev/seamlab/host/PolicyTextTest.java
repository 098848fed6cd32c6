// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.seamlab.host.HostPolicy.GetPut;
import dev.seamlab.host.HostPolicy.Install;
import dev.seamlab.host.HostPolicy.Pamt;
import dev.seamlab.host.HostPolicy.Pool;
import dev.seamlab.host.HostPolicy.Refcounts;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class PolicyTextTest {
    @ParameterizedTest
    @EnumSource
    void presetAlone_isThePreset(Preset preset) {
        assertThat(PolicyText.parse(preset.id())).isEqualTo(preset.policy());
    }

    @Test
    void changes_allAxes_replaceThePresetsVariants() {
        assertThat(
                        PolicyText.parse(
                                "static, pamt=dynamic, get-put=always-lock, refcounts=flat,"
                                        + " pool=pair-cache, install=at-lookup"))
                .isEqualTo(
                        new HostPolicy(
                                Pamt.DYNAMIC,
                                GetPut.ALWAYS_LOCK,
                                Refcounts.FLAT,
                                Pool.PAIR_CACHE,
                                Install.AT_LOOKUP));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            textBlock =
                    """
                    v5                   ; no preset is called "v5"
                    v4,install=tomorrow  ; at-fault, at-topup, at-lookup
                    v4,colour=red        ; pamt, get-put, refcounts, pool, install
                    v4,install           ; AXIS=VARIANT
                    v4,                  ; AXIS=VARIANT
                    """)
    void badText_saysWhatThereIs(String text, String hint) {
        assertThatThrownBy(() -> PolicyText.parse(text))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(hint);
    }
}
