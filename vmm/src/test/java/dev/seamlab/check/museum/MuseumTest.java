// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.check.museum;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.check.Check;
import dev.seamlab.check.Counterexample;
import dev.seamlab.check.Program;
import dev.seamlab.check.RefusedCall;
import dev.seamlab.check.Report;
import dev.seamlab.check.Rule;
import dev.seamlab.check.Schedule;
import dev.seamlab.check.Variant;
import dev.seamlab.host.HostPolicy.GetPut;
import dev.seamlab.host.Preset;
import dev.seamlab.host.TdxHost;
import dev.seamlab.host.pamt.PamtBacking;
import dev.seamlab.kvm.KvmTdx;
import dev.seamlab.kvm.LocksBefore619;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Defects of the series, run: each exhibit must break the rule that it is known for. The table in
 * {@code docs/museum.md} is what these runs print.
 */
@Tag("stepped")
class MuseumTest {
    private static final Path TABLE = Path.of("../docs/museum.md");

    /** One defect, the program that shows it, and the rule it breaks. */
    enum Exhibit {
        R08(
                "R-08",
                "counters not zeroed",
                mutant(Mutants.CountersNotZeroed::new),
                "get",
                "",
                Rule.I3),
        R11(
                "R-11",
                "get ignores the count",
                mutant(Mutants.IgnoresTheCount::new),
                "get | get",
                "",
                Rule.FAILED),
        R13(
                "R-13",
                "failed ADD reported as success",
                Variant.of(GetPut.GLOBAL_LOCK),
                "get",
                "PAMT.ADD",
                Rule.I3),
        R16(
                "R-16",
                "two pending puts",
                Variant.of(GetPut.LOCK_AVOIDING),
                "put | get; put | get",
                "",
                Rule.I3),
        R17(
                "R-17",
                "NOT_FREE of a 2M page taken for a race",
                Variant.of(GetPut.LOCK_AVOIDING),
                "get",
                "PAMT.ADD=HPA_RANGE_NOT_FREE",
                Rule.I3),
        R19(
                "R-19",
                "failed REMOVE forgotten",
                mutant(Mutants.ForgetsTheLeak::new),
                "put",
                "PAMT.REMOVE",
                Rule.I2),
        R22(
                "R-22",
                "unused pair lost",
                mutant(Mutants.LosesUnusedPairs::new),
                "get | get",
                "",
                Rule.LEAK),
        R23("R-23", "put without get", Variant.of(GetPut.DEC_AND_LOCK), "put", "", Rule.UNDERFLOW) {
            @Override
            Check.Options options() {
                return super.options().from(0);
            }
        },
        R24(
                "R-24",
                "put from an RCU callback in softirq",
                mutant(Mutants.PutsFromSoftirq::new),
                "get; put",
                "",
                Rule.LOCK_ORDER),
        R35(
                "R-35",
                "ADD ∥ ADD without a lock, pair pages in the other's range",
                Variant.of(GetPut.DEC_AND_LOCK),
                "add r0 from r1 | add r1 from r0",
                "",
                Rule.REFUSED),
        R36(
                "R-36",
                "a lock per 2M range",
                mutant(Mutants.LockPerRange::new),
                "get r0 | get r1",
                "",
                Rule.DEADLOCK),
        R37(
                "R-37",
                "DEMOTE outside pamt_lock beside ADD",
                mutant(Mutants.SplitsOutsideTheLock::new),
                "demote r0 | get r0; put r0",
                "",
                Rule.REFUSED),
        R38(
                "R-38",
                "a backed range waits for its neighbour",
                Variant.of(GetPut.GLOBAL_LOCK),
                "get r0; put r0 | get r1; put r1",
                "",
                Rule.I1) {
            @Override
            Found find() {
                return waiting(Variant.of(GetPut.GLOBAL_LOCK)).orElseThrow();
            }
        },
        R39(
                "R-39",
                "no refcount: REMOVE after \"already there\"",
                mutant(Mutants.Lazy::new),
                "get; put | get",
                "",
                Rule.I3),
        R41(
                "R-41",
                "each step takes only the lock of what it was called on",
                new Variant(
                        "mutant",
                        "test",
                        Preset.DEFAULT.policy(),
                        TdxHost::backing,
                        LocksBefore619::vm),
                "create | finalize",
                "",
                Rule.REFUSED),
        I5(
                "I5",
                "allocates under pamt_lock",
                mutant(Mutants.AllocatesUnderTheLock::new),
                "get",
                "",
                Rule.SLEEPS),
        I1(
                "I1",
                "counts before it adds",
                mutant(Mutants.CountsFirst::new),
                "get | get",
                "",
                Rule.I1),
        I4("I4", "counts twice", mutant(Mutants.CountsTwice::new), "get | get", "", Rule.I4);

        private final String number;
        private final String defect;
        private final Variant variant;
        private final String program;
        private final String refused;
        private final Rule rule;
        private @Nullable Found known;

        Exhibit(
                String number,
                String defect,
                Variant variant,
                String program,
                String refused,
                Rule rule) {
            this.number = number;
            this.defect = defect;
            this.variant = variant;
            this.program = program;
            this.refused = refused;
            this.rule = rule;
        }

        Check.Options options() {
            Check.Options within = Check.Options.within(Duration.ofMinutes(1));
            return refused.isEmpty() ? within : within.refusing(RefusedCall.parse(refused));
        }

        Report run() {
            return new Check(variant, Program.parse(program), options()).run(count -> {});
        }

        /** Runs it, and checks that it breaks the rule that it is known for. */
        Found find() {
            Counterexample example = run().counterexample();
            assertThat(example).as(number).isNotNull();
            assertThat(example.rule()).as(number).isEqualTo(rule);
            return new Found(
                    example.rule() + ": " + example.rule().meaning(),
                    example.length(),
                    example.preemptions());
        }

        /** As {@link #find}, once. */
        Found found() {
            Found found = known;
            if (found == null) {
                found = find();
                known = found;
            }
            return found;
        }

        String row() {
            Found found = found();
            return "| "
                    + String.join(
                            " | ",
                            number,
                            defect,
                            variant.name(),
                            "`" + program.replace("|", "\\|") + "`",
                            refused.isEmpty() ? "" : "`" + refused + "`",
                            found.caughtBy,
                            Long.toString(found.steps),
                            Integer.toString(found.preemptions))
                    + " |";
        }
    }

    /** What a run showed. */
    record Found(String caughtBy, long steps, int preemptions) {}

    /**
     * R-38 breaks no rule, it costs time: whether some schedule with one preemption lets the user
     * of a backed range wait while another range gets its first one.
     */
    private static Optional<Found> waiting(Variant variant) {
        Check.Options options = Check.Options.within(Duration.ofMinutes(1)).from(0, 1);
        Check check = new Check(variant, Program.parse(Exhibit.R38.program), options);
        int last = 0;
        for (int first = 1; ; first++) {
            Counterexample told = check.replay(Schedule.parse("0x" + first + ".1x1"));
            List<Counterexample.Line> lines = told.lines();
            for (int i = 0; i < lines.size(); i++) {
                Counterexample.Line line = lines.get(i);
                if (line.thread() == 1 && line.text().equals("waits for pamt_lock")) {
                    String caughtBy = "get of a backed range waits for pamt_lock";
                    return Optional.of(new Found(caughtBy, i + 1L, 1));
                }
            }
            // Once the first thread is done before the second begins, nothing is new.
            int stepsOfFirst = Math.toIntExact(lines.stream().filter(l -> l.thread() == 0).count());
            boolean isDone =
                    lines.stream()
                            .takeWhile(
                                    line -> line.thread() == 0 || !line.text().contains("refcount"))
                            .anyMatch(line -> line.text().equals("put r0 returns"));
            if (isDone && stepsOfFirst == last) {
                return Optional.empty();
            }
            last = stepsOfFirst;
        }
    }

    @Test
    void r38_decAndLock_letsUsersOfBackedRangesPass() {
        assertThat(waiting(Variant.of(GetPut.DEC_AND_LOCK))).isEmpty();
        assertThat(waiting(Variant.of(GetPut.ALWAYS_LOCK))).isPresent();
    }

    private static Variant mutant(Function<TdxHost, PamtBacking> maker) {
        return new Variant(
                "mutant", "test", Variant.of(GetPut.DEC_AND_LOCK).policy(), maker, KvmTdx::new);
    }

    @ParameterizedTest
    @EnumSource(Exhibit.class)
    void exhibit_breaksTheRuleItIsKnownFor(Exhibit exhibit) {
        assertThat(exhibit.found().steps()).isPositive();
    }

    @Test
    void theMutantWithoutMutation_isClean() {
        for (String program :
                List.of("put | get; put | get", "get; put | get; put", "demote r0 | get r0")) {
            Report report =
                    new Check(
                                    mutant(Mutant::new),
                                    Program.parse(program),
                                    Check.Options.within(Duration.ofMinutes(1)))
                            .run(count -> {});
            assertThat(report.counterexample()).isNull();
            assertThat(report.complete()).isTrue();
        }
    }

    @Test
    void r19_removeRefused_theProductionVariantsKeepTheCount() {
        for (GetPut variant : GetPut.values()) {
            Report report =
                    new Check(
                                    Variant.of(variant),
                                    Program.parse("put"),
                                    Check.Options.within(Duration.ofMinutes(1))
                                            .refusing(RefusedCall.parse("PAMT.REMOVE")))
                            .run(count -> {});
            assertThat(report.counterexample()).as(variant.name()).isNull();
        }
    }

    /** To renew the table, copy what this test writes below target. */
    @Test
    void theTableInTheDocs_isWhatRunningPrints() throws IOException {
        List<String> rows = new ArrayList<>();
        for (Exhibit exhibit : Exhibit.values()) {
            rows.add(exhibit.row());
        }
        List<String> page = Files.exists(TABLE) ? Files.readAllLines(TABLE) : List.of();
        Path written = Path.of("target/museum-rows.md");
        Files.write(written, rows);
        int from = page.indexOf("## Schedules");
        assertThat(from).as("the heading").isNotNegative();
        assertThat(
                        page.subList(from + 1, page.size()).stream()
                                .takeWhile(line -> !line.startsWith("## "))
                                .filter(line -> line.matches("\\| (R-|I\\d).*")))
                .as("docs/museum.md against " + written)
                .containsExactlyElementsOf(rows);
    }
}
