// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.host.Preset;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class HostPamtViewTest {
    @RegisterExtension final Lab lab = new Lab();

    /** Facts: Linux sheet section 6.1, one contiguous TDMR. */
    @ParameterizedTest
    @CsvSource({
        "  268963840,   2625536,   131072,   32768",
        " 1075843072,  10489856,   524288,  131072",
        " 4303372288,  41959424,  2097152,  524288",
        " 8606744576,  83918848,  4194304, 1048576",
        "25820233728, 251756544, 12582912, 3145728"
    })
    void breakEven_ofTheHostsOfTheFacts_isAt9917Percent(
            long staticBytes, long reserved, long refcounts, long ranges) {
        long even =
                HostPamtView.comparison(false, staticBytes, reserved + refcounts, 0, ranges)
                        .breakEvenRanges();
        assertThat(100.0 * even / ranges).isBetween(99.16, 99.18);
        assertThat(costs(staticBytes, reserved + refcounts, even)).isGreaterThan(staticBytes);
        assertThat(costs(staticBytes, reserved + refcounts, even - 1))
                .isLessThanOrEqualTo(staticBytes);
    }

    private static long costs(long staticBytes, long fixed, long inUse) {
        return HostPamtView.comparison(true, staticBytes, fixed, inUse, 1 << 20).dynamicBytes();
    }

    @Test
    void compare_onAStaticHost_isWhatADynamicHostPays() {
        Vmm dynamic = lab.host(Preset.DEFAULT);
        Vmm fixed = lab.host(Preset.STATIC);
        dynamic.create(Lab.spec("one", 1, "idle")).orThrow();
        fixed.create(Lab.spec("one", 1, "idle")).orThrow();
        PamtView.Comparison there = dynamic.pamt().compare();
        PamtView.Comparison here = fixed.pamt().compare();
        assertThat(there.dynamic()).isTrue();
        assertThat(here.dynamic()).isFalse();
        assertThat(here.staticBytes()).isEqualTo(there.staticBytes());
        assertThat(here.rangesTotal()).isEqualTo(there.rangesTotal());
        assertThat(here.breakEvenRanges()).isEqualTo(there.breakEvenRanges());
        assertThat(here.rangesInUse()).isPositive();
        assertThat(there.rangesInUse()).isEqualTo(there(dynamic));
        assertThat(fixed.pamt().figures().total()).isEqualTo(PamtShare.NONE);
        assertThat(fixed.pamt().regions(0, 10, region -> true)).isEmpty();
    }

    private static long there(Vmm vmm) {
        return vmm.pamt().regions(0, Integer.MAX_VALUE, region -> true).size();
    }
}
