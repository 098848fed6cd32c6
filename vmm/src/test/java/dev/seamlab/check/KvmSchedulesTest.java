// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.check;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Faults and zaps of KVM: not all orders, but more than any stress test meets. */
@Tag("stepped")
class KvmSchedulesTest {
    private static Report check(String variant, String program, Check.Options options) {
        return new Check(Variant.byName(variant).getFirst(), Scenario.program(program), options)
                .run(n -> {});
    }

    private static Check.Options schedules(long most) {
        Check.Options within = Check.Options.within(Duration.ofMinutes(2));
        return new Check.Options(
                within.refused(), within.initial(), within.timeLimit(), most, -1, 0);
    }

    @ParameterizedTest
    @CsvSource({
        "v4, fault-fault",
        "v4, fault-zap",
        "v4, two-tds",
        "v4-base, two-tds",
        "v6, two-tds",
        "merged, fault-fault",
        "merged, two-tds"
    })
    void scenario_firstSchedules_areClean(String variant, String program) {
        Report report = check(variant, program, schedules(300));
        assertThat(report.counterexample()).isNull();
        assertThat(report.schedules()).isPositive();
    }

    @Test
    void fault_augRefused_leavesNothingBehind() {
        Report report =
                check(
                        "v4",
                        "fault g0 | fault g1",
                        schedules(300).refusing(RefusedCall.parse("MEM.PAGE.AUG")));
        assertThat(report.counterexample()).isNull();
    }

    @Test
    void teardownOfOneTd_besideFaultsOfAnother_isClean() {
        assertThat(check("v4", "fault t0; teardown t0 | fault t1", schedules(200)).counterexample())
                .isNull();
    }
}
