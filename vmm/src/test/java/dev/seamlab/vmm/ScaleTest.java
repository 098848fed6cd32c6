// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.host.Preset;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.machine.profile.AddressRange;
import dev.seamlab.machine.profile.BuiltInProfiles;
import dev.seamlab.machine.profile.KeyIdPartition;
import dev.seamlab.machine.profile.MachineProfile;
import dev.seamlab.machine.profile.ModuleProfile;
import dev.seamlab.machine.profile.NumaNode;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Many TDs, large TDs, and what they cost. Sizes grow with {@code -Dseamlab.scale.gib}. */
class ScaleTest {
    private static final int GUEST_KEYIDS = 63;

    @RegisterExtension final Lab lab = new Lab();

    @Test
    void largeTd_fullyAcceptedAt4k_costsAtMostFortyBytesAPage_andLetsThemGoAgain() {
        long gib = Long.getLong("seamlab.scale.gib", 8);
        String profile = gib > 200 ? "server-2t-2s" : "server-256g";
        Vmm vmm = lab.host(BuiltInProfiles.byName(profile), Preset.V4);
        Scale.Cost cost = Scale.accepted(vmm, gib);
        assertThat(cost.pages()).isGreaterThanOrEqualTo(gib << 18);
        assertThat(cost.perPage()).isLessThan(40);
        assertThat(MixedCycles.backedBytes(vmm)).isEqualTo(vmm.memory().pamt().totalBytes());

        vmm.stop("large").orThrow();
        vmm.delete("large").orThrow();
        assertThat(vmm.memory().pamt()).isEqualTo(PamtShare.NONE);
        // What is known of host pages stays, at most: not what the TD had.
        assertThat(cost.leftPerPage()).isLessThan(7);
    }

    @ParameterizedTest
    @EnumSource(Preset.class)
    void everyKeyIdTaken_tdsBootConvertAndDieTogether(Preset preset) {
        Vmm vmm = lab.host(manyKeyIds(), preset);
        String[] programs = {"convert-storm rounds=2 pages=4", "boot-lazy percent=10", "idle"};
        List<TrustDomain> tds = new ArrayList<>();
        for (int i = 0; i < GUEST_KEYIDS; i++) {
            String program = programs[i % programs.length];
            tds.add(Lab.boot(vmm, Lab.spec("td" + i, 8, program)));
        }
        assertThat(vmm.memory().guestKeyIdsInUse()).isEqualTo(GUEST_KEYIDS);
        assertThat(Lab.refusal(vmm.create(Lab.spec("late", 1, "idle"))))
                .isInstanceOf(Refusal.NoKeyId.class);
        assertThat(vmm.host().keyIds().allocate()).isEqualTo(Errno.ENOSPC);

        tds.forEach(Lab::awaitFinished);
        assertThat(vmm.audit()).isEmpty();
        assertThat(MixedCycles.backedBytes(vmm)).isEqualTo(vmm.memory().pamt().totalBytes());

        vmm.stop("td7").orThrow();
        vmm.delete("td7").orThrow();
        assertThat(vmm.create(Lab.spec("late", 1, "idle")).orThrow().state())
                .isEqualTo(TdState.READY);
        tds.parallelStream()
                .filter(td -> !td.id().equals("td7"))
                .forEach(td -> {
                    vmm.stop(td.id()).orThrow();
                    vmm.delete(td.id()).orThrow();
                });
        assertThat(vmm.audit()).isEmpty();
    }

    /**
     * TDs and ordinary VMs of 1 to 96 GiB, most of it never touched, come and go in no order. Live
     * pairs are 8 KiB for each range in which somebody has a page, exactly, after each step; and
     * what an ordinary VM does changes nothing of that and asks the module nothing.
     */
    @ParameterizedTest
    @EnumSource(Preset.class)
    void mixedCycles_ofLargeMostlyUntouchedVms_payForBackedRangesExactly(Preset preset) {
        Vmm vmm = lab.host(BuiltInProfiles.byName("server-256g"), preset);
        MixedCycles cycles = new MixedCycles(vmm, preset.ordinal());
        boolean thorough = preset == Preset.V4 || preset == Preset.MERGED;
        cycles.run(Integer.getInteger("seamlab.scale.cycles", thorough ? 200 : 25));
        assertThat(vmm.memory().pamt()).isEqualTo(PamtShare.NONE);
        assertThat(MixedCycles.backedBytes(vmm)).isZero();
    }

    private static MachineProfile manyKeyIds() {
        List<AddressRange> first = List.of(new AddressRange(1L << 20, 2L << 30));
        List<AddressRange> second = List.of(new AddressRange(4L << 30, 8L << 30));
        return new MachineProfile(
                "many-keyids",
                "for tests",
                2,
                4,
                46,
                new KeyIdPartition(7, 63, GUEST_KEYIDS + 1),
                List.of(new NumaNode(first), new NumaNode(second)),
                List.of(first.getFirst(), second.getFirst()),
                ModuleProfile.V1_5_25,
                true);
    }
}
