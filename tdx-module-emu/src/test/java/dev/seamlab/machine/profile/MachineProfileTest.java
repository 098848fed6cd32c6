// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.machine.profile;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.Test;

class MachineProfileTest {
    private static final AddressRange LOW = new AddressRange(0x10_0000, 0x8000_0000L);

    private static MachineProfile profile(
            int packages, int cpus, int bits, KeyIdPartition keys, AddressRange... ranges) {
        List<AddressRange> memory = List.of(ranges);
        return new MachineProfile(
                "test",
                "",
                packages,
                cpus,
                bits,
                keys,
                List.of(new NumaNode(memory)),
                memory,
                ModuleProfile.V1_5_25,
                false);
    }

    @Test
    void profile_sane_reportsItsSizes() {
        MachineProfile profile = profile(2, 4, 52, new KeyIdPartition(6, 31, 32), LOW);
        assertThat(profile.cpus()).isEqualTo(8);
        assertThat(profile.memoryBytes()).isEqualTo(LOW.size());
        assertThat(profile.addressBits()).isEqualTo(46);
        assertThat(profile.keyIds().firstPrivate()).isEqualTo(0x20);
        assertThat(profile.keyIds().lastPrivate()).isEqualTo(0x3F);
    }

    @Test
    void profile_everyBadFieldIsNamedAtOnce() {
        assertThatThrownBy(() -> profile(0, 0, 60, new KeyIdPartition(2, 31, 32), LOW))
                .isInstanceOfSatisfying(
                        InvalidProfileException.class,
                        e ->
                                assertThat(e.violations())
                                        .extracting(InvalidProfileException.Violation::field)
                                        .contains(
                                                "packages",
                                                "cpusPerPackage",
                                                "physicalBits",
                                                "keyIds"));
    }

    @Test
    void profile_overlappingMemory_isRefused() {
        AddressRange overlapping = new AddressRange(0x7000_0000L, 0x9000_0000L);
        assertThatThrownBy(() -> profile(1, 1, 52, new KeyIdPartition(6, 31, 32), LOW, overlapping))
                .hasMessageContaining("nodes")
                .hasMessageContaining("overlaps");
    }

    @Test
    void profile_memoryAboveTheAddressBits_isRefused() {
        AddressRange high = new AddressRange(1L << 46, (1L << 46) + 0x1000);
        assertThatThrownBy(() -> profile(1, 1, 52, new KeyIdPartition(6, 31, 32), LOW, high))
                .hasMessageContaining("nodes[0].memory[1]")
                .hasMessageContaining("46 address bits");
    }

    @Test
    void features_of1525_areThoseOfTheFactSheet() {
        ModuleProfile module = ModuleProfile.V1_5_25;
        assertThat(module.hasFeature(ModuleProfile.FEATURE_DYNAMIC_PAMT)).isTrue();
        assertThat(module.hasFeature(ModuleProfile.FEATURE_NO_RBP_MOD)).isTrue();
        assertThat(module.hasFeature(38)).isFalse();
        assertThat(ModuleProfile.V1_5_16.hasFeature(ModuleProfile.FEATURE_DYNAMIC_PAMT)).isFalse();
    }
}
