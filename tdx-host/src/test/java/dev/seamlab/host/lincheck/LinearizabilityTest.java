// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.lincheck;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.jetbrains.lincheck.LincheckAssertionError;
import org.jetbrains.lincheck.datastructures.ModelCheckingOptions;
import org.jetbrains.lincheck.datastructures.Options;
import org.jetbrains.lincheck.datastructures.StressOptions;
import org.jetbrains.lincheck.util.LoggingLevel;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Programs of a few operations for two threads, made at random. What each operation answered must
 * be what it answers on paper in some order of all, one at a time, that keeps the order of those
 * that did not overlap. Lincheck finds the steps in the bytecode by itself, plain fields among
 * them, and asks neither our seam nor our scheduler.
 *
 * <p>Briefly; {@code -Dlincheck=all} makes more and longer programs, and runs them on real CPUs as
 * well, whose memory order is weaker.
 */
@Tag("lincheck")
class LinearizabilityTest {
    /** Numbers of threads that Lincheck hands out are below this. */
    static final int MOST_THREADS = 5;

    private static final boolean ALL = "all".equals(System.getProperty("lincheck"));

    /** One of each kind. */
    private static final List<Class<?>> SOME =
            List.of(
                    CounterPrograms.Sparse.class,
                    SharexPrograms.class,
                    SeptEntryPrograms.class,
                    HeldLocksPrograms.Once.class,
                    SlotRwPrograms.class,
                    GetPutPrograms.DecAndLock.class);

    private static final List<Class<?>> EVERY =
            List.of(
                    CounterPrograms.Flat.class,
                    CounterPrograms.Sparse.class,
                    SharexPrograms.class,
                    SeptEntryPrograms.class,
                    HeldLocksPrograms.Once.class,
                    SlotRwPrograms.class,
                    GetPutPrograms.DecAndLock.class,
                    GetPutPrograms.AlwaysLock.class,
                    GetPutPrograms.GlobalLock.class);

    static List<Class<?>> programs() {
        return ALL ? EVERY : SOME;
    }

    @ParameterizedTest
    @MethodSource("programs")
    void anyOrderOfSteps_answersAsOneAtATime(Class<?> programs) {
        check(ALL ? orders(3).iterations(20).invocationsPerIteration(1000) : orders(2), programs);
    }

    @ParameterizedTest
    @MethodSource("programs")
    @EnabledIfSystemProperty(named = "lincheck", matches = "all")
    void realCpus_answerAsOneAtATime(Class<?> programs) {
        Options<?, ?> realCpus = new StressOptions().iterations(10).invocationsPerIteration(500);
        check(realCpus.threads(2).actorsPerThread(3), programs);
    }

    /** The control: what is wrong on purpose is found. */
    @Test
    void anyOrderOfSteps_ofACounterThatReadsAndThenSets_losesACount() {
        assertThatThrownBy(
                        () -> check(orders(2).iterations(100), CounterPrograms.ReadThenSet.class))
                .isInstanceOf(LincheckAssertionError.class)
                .hasMessageContaining("Invalid execution results");
    }

    /** Known, and not worth a wait: who is refused leaves its slot a moment later. */
    @Test
    @EnabledIfSystemProperty(named = "lincheck", matches = "all")
    void anyOrderOfSteps_ofOwnersThatComeBack_maySeeThoseTheyRefused() {
        assertThatThrownBy(() ->
                        check(
                                orders(3)
                                        .iterations(150)
                                        .invocationsPerIteration(400)
                                        .actorsBefore(0)
                                        .actorsAfter(0),
                                HeldLocksPrograms.Again.class))
                .isInstanceOf(LincheckAssertionError.class)
                .hasMessageContaining("Invalid execution results");
    }

    private static ModelCheckingOptions orders(int operations) {
        return new ModelCheckingOptions()
                // What looks endless in a loop that is only long.
                .loopBound(1000)
                .iterations(2)
                .invocationsPerIteration(100)
                .threads(2)
                .actorsPerThread(operations)
                .actorsBefore(1)
                .actorsAfter(1)
                .minimizeFailedScenario(false)
                .logLevel(LoggingLevel.ERROR);
    }

    private static void check(Options<?, ?> options, Class<?> programs) {
        options.sequentialSpecification(onPaper(programs));
        options.check(programs);
    }

    /** The nearest one: of the programs themselves, or of their kind. */
    private static Class<?> onPaper(Class<?> programs) {
        for (Class<?> inside : programs.getDeclaredClasses()) {
            if (inside.getSimpleName().equals("OnPaper")) {
                return inside;
            }
        }
        return onPaper(programs.getEnclosingClass());
    }
}
