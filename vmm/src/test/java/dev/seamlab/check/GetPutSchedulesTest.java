// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.check;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.host.HostPolicy.GetPut;
import java.time.Duration;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** The variants of get and put, in every order of small programs. */
@Tag("stepped")
class GetPutSchedulesTest {
    private static final Check.Options ALL = Check.Options.within(Duration.ofMinutes(2));

    private static Report check(GetPut variant, String program, Check.Options options) {
        return new Check(Variant.of(variant), Scenario.program(program), options).run(n -> {});
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            quoteCharacter = '"',
            value = {
                "GLOBAL_LOCK; put-get",
                "DEC_AND_LOCK; put-get",
                "ALWAYS_LOCK; put-get",
                "GLOBAL_LOCK; first-gets",
                "DEC_AND_LOCK; first-gets",
                "ALWAYS_LOCK; first-gets",
                "LOCK_AVOIDING; first-gets",
                "GLOBAL_LOCK; last-puts",
                "DEC_AND_LOCK; last-puts",
                "ALWAYS_LOCK; last-puts",
                "LOCK_AVOIDING; last-puts",
                "GLOBAL_LOCK; get-put-storm",
                "DEC_AND_LOCK; get-put-storm",
                "ALWAYS_LOCK; get-put-storm",
                "GLOBAL_LOCK; two-ranges",
                "DEC_AND_LOCK; two-ranges",
                "ALWAYS_LOCK; two-ranges",
                "GLOBAL_LOCK; demote-add",
                "LOCK_AVOIDING; demote-add",
                "DEC_AND_LOCK; demote-add",
                "ALWAYS_LOCK; demote-add"
            })
    void everySchedule_isClean(GetPut variant, String program) {
        Report report = check(variant, program, ALL);
        assertThat(report.counterexample()).isNull();
        assertThat(report.complete()).isTrue();
    }

    /** Pages that go from CPU to CPU move lists and pairs; the search says so if that shows. */
    @ParameterizedTest
    @CsvSource({
        "GLOBAL_LOCK, 1",
        "DEC_AND_LOCK, 1",
        "ALWAYS_LOCK, 1",
        "DEC_AND_LOCK, 2",
        "ALWAYS_LOCK, 2"
    })
    void longPrograms_areTheSameWorldEachTime(GetPut variant, int ranges) {
        String other = "get r" + (ranges - 1) + "; put r" + (ranges - 1);
        String whole = String.join("; ", "get; put", other, "get; put", other);
        Check.Options some =
                new Check.Options(ALL.refused(), ALL.initial(), ALL.timeLimit(), 10_000, -1, 0);
        Program program = Scenario.program(String.join(" | ", whole, whole, other));
        Report report = new Check(Variant.of(variant), program, some).run(n -> {});
        assertThat(report.counterexample()).isNull();
        assertThat(report.schedules()).isGreaterThanOrEqualTo(10_000);
    }

    @Test
    void r16_lockAvoiding_leavesAGetWithoutPairAfterOnePreemption() {
        Report report = check(GetPut.LOCK_AVOIDING, "put-get", ALL);
        Counterexample hole = report.counterexample();
        assertThat(hole).isNotNull();
        assertThat(hole.rule()).isEqualTo(Rule.I3);
        assertThat(hole.preemptions()).isEqualTo(1);
        assertThat(hole.story())
                .extracting(Counterexample.Line::text)
                .contains("dec refcount r0 1→0", "take pamt_lock", "PAMT.REMOVE r0 → SUCCESS")
                .anyMatch(text -> text.startsWith("PAMT.ADD r0 → HPA_RANGE_NOT_FREE"))
                .anyMatch(text -> text.startsWith("PAMT.REMOVE r0 → NO_PAMT_PAGE_PAIR"))
                .containsSubsequence("inc refcount r0 0→1", "inc refcount r0 1→2");
    }

    @Test
    void counterexample_replayed_tellsTheSameStory() {
        Counterexample hole = check(GetPut.LOCK_AVOIDING, "put-get", ALL).counterexample();
        Check again = new Check(Variant.of(GetPut.LOCK_AVOIDING), Scenario.program("put-get"), ALL);
        Counterexample replayed = again.replay(Schedule.parse(hole.schedule().toString()));
        assertThat(replayed.lines()).isEqualTo(hole.lines());
        assertThat(replayed.findings()).isEqualTo(hole.findings());
    }

    @Test
    void pct_findsTheHoleToo() {
        Check.Options random =
                new Check.Options(ALL.refused(), ALL.initial(), ALL.timeLimit(), 100_000, -1, 42);
        assertThat(check(GetPut.LOCK_AVOIDING, "put-get", random).counterexample()).isNotNull();
    }

    @ParameterizedTest
    @EnumSource(
            value = GetPut.class,
            names = {"DEC_AND_LOCK", "ALWAYS_LOCK"})
    void r13_addRefused_isAnErrorAndNothingIsBroken(GetPut variant) {
        Report report = check(variant, "get | get", ALL.refusing(RefusedCall.parse("PAMT.ADD")));
        assertThat(report.counterexample()).isNull();
        assertThat(report.complete()).isTrue();
    }

    @ParameterizedTest
    @EnumSource(
            value = GetPut.class,
            names = {"GLOBAL_LOCK", "LOCK_AVOIDING"})
    void r13_addRefused_asPosted_succeedsWithoutPair(GetPut variant) {
        Report report = check(variant, "get", ALL.refusing(RefusedCall.parse("PAMT.ADD")));
        assertThat(report.counterexample()).isNotNull();
        assertThat(report.counterexample().rule()).isEqualTo(Rule.I3);
    }
}
