// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

import static dev.seamlab.vmm.Lab.awaitFinished;
import static dev.seamlab.vmm.Lab.boot;
import static dev.seamlab.vmm.Lab.spec;
import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.host.HostPolicy.Install;
import dev.seamlab.host.Preset;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

class ContentionTest {
    @RegisterExtension final Lab lab = new Lab();

    @Test
    void oneVcpuAlone_neverWaits() {
        Vmm vmm = lab.host(Preset.V4);
        awaitFinished(boot(vmm, spec("td", 1, "convert-storm rounds=20 pages=8")));
        Contention seen = vmm.contention();
        assertThat(seen.mmuRead().waits()).isZero();
        assertThat(seen.mmuWrite().waits()).isZero();
        assertThat(seen.pamt().waits()).isZero();
        assertThat(seen.busyByOperand()).isEmpty();
        assertThat(seen.poolHighWater()).isEqualTo(15);
        assertThat(seen.poolFallbacks()).isZero();
    }

    @Test
    void figures_ofDeletedTds_stayWithTheHost() {
        Vmm vmm = lab.host(Lab.smallHost(), Preset.V4.policy().with(Install.AT_TOPUP));
        TrustDomain td = boot(vmm, spec("td", 2, "touch-all"));
        awaitFinished(td);
        long prepared = vmm.contention().tablesPrepared();
        assertThat(prepared).isEqualTo(td.contention().tablesPrepared()).isPositive();
        vmm.stop("td").orThrow();
        vmm.delete("td").orThrow();
        assertThat(vmm.contention().tablesPrepared()).isEqualTo(prepared);
        assertThat(vmm.contention().tablesUnused()).isPositive();
        assertThat(vmm.contention().poolUnused()).isEqualTo(2 * 10);
    }

    @Test
    void histogram_ofManyVcpus_addsUp() {
        Vmm vmm = lab.host(Preset.MERGED);
        for (int i = 0; i < 4; i++) {
            boot(vmm, spec("td" + i, 4, "convert-storm rounds=50 pages=4"));
        }
        vmm.list().forEach(Lab::awaitFinished);
        Contention seen = vmm.contention();
        for (var waits : java.util.List.of(seen.mmuRead(), seen.mmuWrite(), seen.pamt())) {
            assertThat(LongStream.of(waits.buckets()).sum()).isEqualTo(waits.waits());
            assertThat(waits.totalNanos()).isGreaterThanOrEqualTo(waits.longestNanos());
            assertThat(waits.atMost(0.5)).isLessThanOrEqualTo(waits.atMost(1));
            assertThat(waits.atMost(1)).isEqualTo(waits.longestNanos());
        }
    }
}
