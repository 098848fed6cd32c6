// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

import static dev.seamlab.vmm.Lab.awaitFinished;
import static dev.seamlab.vmm.Lab.boot;
import static dev.seamlab.vmm.Lab.spec;
import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.guest.Workload;
import dev.seamlab.host.Preset;
import dev.seamlab.vmm.tdvf.TdvfImage;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Built-in guest programs and newer operations, run to their end; the audit follows each. */
class BuiltinLifeTest {
    @RegisterExtension final Lab lab = new Lab();

    @ParameterizedTest
    @ValueSource(
            strings = {
                "idle",
                "boot-lazy percent=60",
                "boot-lazy percent=60 unit=1",
                "boot-eager percent=10",
                "touch-all",
                "convert-storm rounds=5",
                "balloon rounds=3 percent=40",
                "random touches=5000",
                "zipf touches=5000 skew=150",
                "use 17m+3m unit 64k; halt",
                "accept 16m+4m; zipf 16m+4m 1000 skew 80 seed 3; random 16m+4m 1000; halt"
            })
    void program_ofEachKind_runsToItsEnd(String program) {
        Vmm vmm = lab.host(Preset.V4);
        TrustDomain small = boot(vmm, spec("small", 2, program));
        TrustDomain large = boot(vmm, spec("large", 2, program).withLargePages());
        assertThat(awaitFinished(small).failure()).isEmpty();
        assertThat(awaitFinished(large).failure()).isEmpty();
    }

    @Test
    void bootOnTouch_withVe_acceptsPageByPage() {
        Vmm vmm = lab.host(Preset.V4);
        TrustDomainSpec wanted = withVe("td", "boot-on-touch percent=50");
        TdSnapshot end = awaitFinished(boot(vmm, wanted));
        assertThat(end.progress().pagesAccepted()).isPositive();
        assertThat(end.progress().pagesAccepted()).isEqualTo(end.progress().privateFaults());
    }

    @Test
    void touch_ofALargePagePendingForTheHandler_splitsIt() {
        Vmm vmm = lab.host(Preset.V4);
        TrustDomainSpec wanted =
                withVe("td", "touch 16m+64k; accept 16m+2m; halt").withLargePages();
        TdSnapshot end = awaitFinished(boot(vmm, wanted));
        assertThat(end.progress().pagesAccepted()).isEqualTo(512);
    }

    @Test
    void balloon_inflated_givesPagesToTheHost() {
        Vmm vmm = lab.host(Preset.V4);
        TrustDomain td = boot(vmm, spec("td", 1, "balloon rounds=1 percent=50"));
        TdSnapshot end = awaitFinished(td);
        assertThat(end.progress().conversions()).isPositive();
        assertThat(td.memory().guestMemfdPages()).isEqualTo(td.memory().privatePages());
    }

    @Test
    void random_sameSeed_isTheSameRun() {
        Vmm vmm = lab.host(Preset.V4);
        String program = "accept 16m+8m; random 16m+8m 3000 seed 5; halt";
        TdSnapshot one = awaitFinished(boot(vmm, spec("one", 1, program)));
        TdSnapshot two = awaitFinished(boot(vmm, spec("two", 1, program)));
        assertThat(one.progress().operations()).isEqualTo(two.progress().operations());
        assertThat(one.progress().operations()).isGreaterThanOrEqualTo(3000 + 2048);
    }

    private static TrustDomainSpec withVe(String id, String program) {
        return new TrustDomainSpec(
                id,
                Lab.MEMORY,
                1,
                TdvfImage.embedded(),
                Workload.parse(program),
                0,
                TrustDomainSpec.DEFAULT_GPA_WIDTH);
    }
}
