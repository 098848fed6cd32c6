// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

import static dev.seamlab.vmm.Lab.awaitFinished;
import static dev.seamlab.vmm.Lab.boot;
import static dev.seamlab.vmm.Lab.spec;
import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.host.HostPolicy;
import dev.seamlab.host.HostPolicy.Install;
import dev.seamlab.host.Preset;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.kvm.KvmStats.Counter;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** When backing is installed: what the variants have in common, and what each costs. */
class InstallTimeTest {
    @RegisterExtension final Lab lab = new Lab();

    static Stream<Arguments> everyCombination() {
        List<Arguments> all = new ArrayList<>();
        for (Preset preset : Preset.values()) {
            for (Install install : Install.values()) {
                all.add(Arguments.of(preset, install));
            }
        }
        return all.stream();
    }

    @ParameterizedTest
    @MethodSource("everyCombination")
    void life_anyInstallTimeWithAnyPreset_comesBackWhole(Preset preset, Install install) {
        Vmm vmm = lab.host(Lab.smallHost(), preset.policy().with(install));
        TrustDomain first = boot(vmm, spec("first", 2, "touch-all"));
        TrustDomain second = boot(vmm, spec("second", 2, "convert-storm rounds=40 pages=8"));
        awaitFinished(first);
        awaitFinished(second);
        assertThat(vmm.audit()).isEmpty();
        assertThat(vmm.memory().pamt().totalBytes()).isEqualTo(8192 * vmm.memory().backedRanges());
        vmm.stop("first").orThrow();
        vmm.delete("first").orThrow();
        assertThat(vmm.audit()).isEmpty();
    }

    @ParameterizedTest
    @MethodSource("everyCombination")
    void faults_anyInstallTime_areTheSame(Preset preset, Install install) {
        Vmm vmm = lab.host(Lab.smallHost(), preset.policy().with(install));
        TrustDomain td = boot(vmm, spec("td", 1, "touch-all"));
        TdSnapshot end = awaitFinished(td);
        assertThat(end.progress().privateFaults()).isEqualTo(end.progress().pagesAccepted());
        assertThat(td.stats().get(Counter.FAULT_RETRIES)).isZero();
    }

    @Test
    void tables_atTopUp_waitWithTheirBackingUpToFortyPerVcpu() {
        Vmm vmm = lab.host(Lab.smallHost(), policy(Install.AT_TOPUP));
        TrustDomain td = boot(vmm, spec("td", 2, "touch-all"));
        awaitFinished(td);
        long waiting = vmm.host().pages().usedPages(PageUse.SEPT_READY);
        assertThat(waiting).isBetween(2L * 5, 2L * 40);
        // Every table that was prepared is either linked or still there.
        assertThat(td.stats().get(Counter.TABLES_PREPARED))
                .isEqualTo(td.memory().septPages() + waiting);
        assertThat(td.stats().get(Counter.READY_HIGH_WATER)).isEqualTo(40);
        vmm.stop("td").orThrow();
        vmm.delete("td").orThrow();
        assertThat(td.stats().get(Counter.TABLES_UNUSED)).isEqualTo(waiting);
        assertThat(vmm.host().pages().usedPages(PageUse.SEPT_READY)).isZero();
    }

    @Test
    void leaves_atTopUp_stillNeedAPoolForFiveGets() {
        Vmm vmm = lab.host(Lab.smallHost(), policy(Install.AT_TOPUP));
        TrustDomain td = boot(vmm, spec("td", 1, "touch-all"));
        awaitFinished(td);
        assertThat(td.stats().get(Counter.POOL_HIGH_WATER)).isEqualTo(10);
    }

    @Test
    void leaves_atLookup_needNoPool() {
        Vmm vmm = lab.host(Lab.smallHost(), policy(Install.AT_LOOKUP));
        TrustDomain td = boot(vmm, spec("td", 1, "touch-all"));
        awaitFinished(td);
        assertThat(td.stats().get(Counter.POOL_HIGH_WATER)).isZero();
        assertThat(td.memory().poolPages()).isZero();
    }

    @Test
    void leaves_atLookupOnTheSamePages_giveBackWhatTheyDidNotUse() {
        Vmm vmm = lab.host(Lab.smallHost(), policy(Install.AT_LOOKUP));
        String program = "loop 20 { accept 16m+2m 4k; share 16m+2m; private 16m+2m }; halt";
        TrustDomain td = boot(vmm, spec("td", 4, "@0 { " + program + " }; @1 { spin 1000 }"));
        awaitFinished(td);
        assertThat(vmm.audit()).isEmpty();
    }

    private static HostPolicy policy(Install install) {
        return Preset.DEFAULT.policy().with(install);
    }
}
