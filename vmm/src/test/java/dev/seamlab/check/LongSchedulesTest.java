// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.check;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.EnumSource.Mode;

/**
 * Every scenario under every variant for as long as {@code -Dschedules.seconds} says, half of it
 * exhaustively and half at random, from another seed each time. For nights; the other tests here
 * are for every build.
 */
@Tag("stepped")
@EnabledIfSystemProperty(named = "schedules.seconds", matches = "[1-9]\\d*")
class LongSchedulesTest {
    /** As posted, with R-16: a count, or a user, without a page pair. */
    private static final List<String> WITH_HOLE = List.of("lock-avoiding", "v4-as-posted");

    @ParameterizedTest
    @EnumSource(value = Scenario.class, mode = Mode.EXCLUDE, names = "ADD_ADD")
    void scenario_underEveryVariant_breaksNothingThatIsNotKnown(Scenario scenario) {
        Duration half = Duration.ofMillis(Long.getLong("schedules.seconds") * 500);
        Program program = Scenario.program(scenario.id());
        for (Variant variant : Variant.all(program.room())) {
            long seed = System.nanoTime();
            for (long each : List.of(0L, seed)) {
                Check.Options options =
                        new Check.Options(List.of(), List.of(), half, Long.MAX_VALUE, -1, each);
                Report report = new Check(variant, program, options).run(count -> {});
                Counterexample example = report.counterexample();
                String told =
                        scenario.id()
                                + " "
                                + variant.name()
                                + ", "
                                + report.search()
                                + ": "
                                + report.verdict()
                                + ", "
                                + report.schedules()
                                + " schedules";
                System.out.println(told);
                if (example != null) {
                    assertThat(WITH_HOLE)
                            .as(told + "; " + example.schedule())
                            .contains(variant.name());
                    assertThat(example.rule()).as(told).isIn(Rule.I1, Rule.I3);
                }
            }
        }
    }
}
