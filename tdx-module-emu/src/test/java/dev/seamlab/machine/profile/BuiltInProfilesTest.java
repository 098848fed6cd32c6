// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.machine.profile;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class BuiltInProfilesTest {
    private static final long GIB = 1L << 30;

    @ParameterizedTest
    @CsvSource({
        "laptop-16g, 1, 16",
        "server-256g, 1, 256",
        "server-1t, 1, 1024",
        "server-2t-2s, 2, 2048",
        "server-6t, 2, 6144",
        "top-of-52, 1, 64"
    })
    void byName_isThatLarge(String name, int packages, long gib) {
        MachineProfile profile = BuiltInProfiles.byName(name);
        assertThat(profile.name()).isEqualTo(name);
        assertThat(profile.packages()).isEqualTo(packages);
        assertThat(profile.nodes()).hasSize(packages);
        assertThat(profile.memoryBytes()).isBetween(gib * GIB - 3 * GIB, gib * GIB);
        assertThat(profile.keyIds().tdx()).isGreaterThanOrEqualTo(2);
        assertThat(profile.module()).isSameAs(ModuleProfile.V1_5_25);
    }

    @Test
    void names_coverAllAndTheDefaultIsOneOfThem() {
        assertThat(BuiltInProfiles.all())
                .extracting(MachineProfile::name)
                .isEqualTo(BuiltInProfiles.names());
        assertThat(BuiltInProfiles.defaultProfile().name()).isEqualTo(BuiltInProfiles.DEFAULT);
    }

    @Test
    void servers_leave63KeyIdsForGuests() {
        for (MachineProfile profile : BuiltInProfiles.all()) {
            if (!profile.name().startsWith("top")) {
                assertThat(profile.keyIds().tdx() - 1).isEqualTo(63);
            }
        }
    }

    @Test
    void topOf52_reachesTheEndOfTheAddressSpace() {
        MachineProfile profile = BuiltInProfiles.byName("top-of-52");
        assertThat(profile.physicalBits()).isEqualTo(52);
        assertThat(profile.memoryEnd()).isEqualTo(1L << profile.addressBits());
    }

    @Test
    void byName_unknown_namesAll() {
        assertThatThrownBy(() -> BuiltInProfiles.byName("server-8t"))
                .isInstanceOf(InvalidProfileException.class)
                .hasMessageContaining("laptop-16g, server-256g, server-1t");
    }
}
