// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.seamlab.host.HostPolicy.GetPut;
import dev.seamlab.host.HostPolicy.Install;
import dev.seamlab.host.HostPolicy.Pamt;
import dev.seamlab.host.HostPolicy.Pool;
import dev.seamlab.host.HostPolicy.Refcounts;
import dev.seamlab.host.kernel.KernelLog;
import dev.seamlab.machine.Machine;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class PresetTest {
    @ParameterizedTest
    @EnumSource
    void byName_itsId_isThePreset(Preset preset) {
        assertThat(Preset.byName(preset.id())).isSameAs(preset);
        assertThat(preset.description()).isNotBlank();
        assertThat(HostPolicy.of(preset).missing()).isEmpty();
    }

    @Test
    void byName_unknown_namesAll() {
        assertThatThrownBy(() -> Preset.byName("v5"))
                .hasMessage(
                        "no preset is called \"v5\"; there are v4, v4-as-posted, v4-base, v6,"
                                + " merged, static");
    }

    @Test
    void bringUp_variantThatIsNotModelled_isRefused() {
        HostPolicy policy =
                new HostPolicy(
                        Pamt.DYNAMIC,
                        GetPut.DEC_AND_LOCK,
                        Refcounts.SPARSE,
                        Pool.MIXED_POOL,
                        Install.AT_TOPUP);
        Machine machine = new Machine(Hosts.small());
        assertThatThrownBy(() -> TdxHost.bringUp(machine, policy, KernelLog.SILENT))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("install=AT_TOPUP is not modelled yet; use AT_FAULT");
    }
}
