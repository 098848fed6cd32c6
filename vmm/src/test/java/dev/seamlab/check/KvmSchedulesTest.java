// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.check;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Faults and zaps of KVM: not all orders, but more than any stress test meets. */
@Tag("stepped")
class KvmSchedulesTest {
    private static Report check(String variant, String program, Check.Options options) {
        Program parsed = Scenario.program(program);
        return new Check(Variant.byName(variant, parsed.room()).getFirst(), parsed, options)
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
        "v4-as-posted, fault-same-range",
        "v4, accept-zap",
        "v4, convert-storm",
        "v6, convert-storm",
        "merged, convert-storm",
        "v4, teardown-fault",
        "merged, teardown-fault",
        "v4, split-fault",
        "v4-base, split-fault",
        "merged, split-fault",
        "static, split-fault",
        "v4, two-tds",
        "v4-base, two-tds",
        "v6, two-tds",
        "merged, fault-fault",
        "merged, two-tds"
    })
    void scenario_firstSchedules_areClean(String variant, String program) {
        Report report = check(variant, program, schedules(100));
        assertThat(report.counterexample()).isNull();
        assertThat(report.schedules()).isPositive();
    }

    @ParameterizedTest
    @CsvSource({
        "v4, fault-zap",
        "v4, terminate-fault",
        "merged, terminate-fault",
        "v4, create-finalize",
        "merged, create-finalize"
    })
    void smallScenario_hasNoScheduleLeft(String variant, String program) {
        Report report = check(variant, program, schedules(2000));
        assertThat(report.counterexample()).isNull();
        assertThat(report.schedules()).isLessThan(2000);
    }

    @ParameterizedTest
    @CsvSource({"convert-storm, 1, 0", "convert-storm, -1, 42", "accept-zap, -1, 19365151453401"})
    void largerScenario_byPreemptionsOrAtRandom_isClean(String program, int bound, long seed) {
        Check.Options within = schedules(60);
        Check.Options options =
                new Check.Options(
                        within.refused(),
                        within.initial(),
                        within.timeLimit(),
                        within.mostSchedules(),
                        bound,
                        seed);
        Report report = check("v4", program, options);
        assertThat(report.counterexample()).isNull();
        assertThat(report.complete()).isFalse();
    }

    /** what the scenario is for does happen in it. */
    @Test
    void splitFault_demoteTakesItsPairFromARangeThatTheOtherTdBacks() {
        Check check =
                new Check(
                        Variant.byName("v4", Verb.Room.KVM).getFirst(),
                        Scenario.program("split-fault"),
                        schedules(1));
        List<String> story =
                check.replay(Schedule.parse("0x1")).lines().stream()
                        .map(Counterexample.Line::text)
                        .toList();
        String demote =
                story.stream().filter(text -> text.startsWith("MEM.PAGE.DEMOTE")).findFirst().get();
        assertThat(demote).endsWith("SUCCESS");
        long pair = page(demote, "pair in page 0x");
        assertThat(story)
                .anySatisfy(text -> {
                    assertThat(text).startsWith("PAMT.ADD").endsWith("SUCCESS");
                    assertThat(page(text, "page 0x") >>> 21).isEqualTo(pair >>> 21);
                });
    }

    private static long page(String text, String before) {
        int at = text.indexOf(before) + before.length();
        return Long.parseLong(text.substring(at, text.indexOf(' ', at)), 16);
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
