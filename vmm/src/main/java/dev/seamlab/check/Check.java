// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.check;

import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.function.LongConsumer;

/**
 * One program under one variant: exhausts its schedules or searches as far as the limits go, and
 * for what breaks looks for the shortest schedule that shows it.
 */
public final class Check {
    /** Preemptions up to which the shortest counterexample is looked for. */
    private static final int MOST_PREEMPTIONS = 4;

    /**
     * What to do.
     *
     * @param refused SEAMCALLs that the module refuses
     * @param initial users of each range at the start; empty: as many as the puts need
     * @param timeLimit for one variant
     * @param mostSchedules for one variant
     * @param bound preemptions for a bounded search; -1 for an exhaustive one
     * @param seed of a random search; 0 for none
     */
    public record Options(
            List<RefusedCall> refused,
            List<Integer> initial,
            Duration timeLimit,
            long mostSchedules,
            int bound,
            long seed) {
        /** Exhaustive, within a time. */
        public static Options within(Duration time) {
            return new Options(List.of(), List.of(), time, Long.MAX_VALUE, -1, 0);
        }

        /** The same with a SEAMCALL that is refused. */
        public Options refusing(RefusedCall call) {
            return new Options(List.of(call), initial, timeLimit, mostSchedules, bound, seed);
        }

        /** The same with other users at the start. */
        public Options from(Integer... users) {
            return new Options(refused, List.of(users), timeLimit, mostSchedules, bound, seed);
        }
    }

    private final Variant variant;
    private final Program program;
    private final Options options;
    private final World world;

    public Check(Variant variant, Program program, Options options) {
        this.variant = variant;
        this.program = program;
        this.options = options;
        this.world =
                switch (program.room()) {
                    case PAMT ->
                            new PamtWorld(variant, program, options.refused(), options.initial());
                    case KVM -> new KvmWorld(variant, program, options.refused());
                };
    }

    /** The state that every schedule starts from. */
    public String initially() {
        return world.initially();
    }

    /**
     * Runs it.
     *
     * @param progress told now and then how many schedules were tried
     */
    public Report run(LongConsumer progress) {
        long deadline = System.nanoTime() + options.timeLimit().toNanos();
        Explorer explorer = new Explorer(world);
        Search search = search();
        Explorer.Tally tally =
                explorer.explore(
                        search,
                        new Explorer.Limits(deadline, options.mostSchedules(), true),
                        progress);
        Explorer.Tally total = new Explorer.Tally();
        total.add(tally);
        Counterexample example = null;
        if (tally.hits.isEmpty()) {
            List<Finding> audit = explorer.audit();
            if (!audit.isEmpty()) {
                example = new Counterexample(List.of(), audit, new Schedule(new byte[0]), -1, "");
            }
        } else {
            example = shortest(explorer, tally, total, deadline);
        }
        return new Report(
                variant,
                program,
                world.initially(),
                search.name(),
                total.schedules,
                tally.schedules,
                total.steps,
                tally.nanos,
                tally.complete,
                tally.exhausted ? search.covered() : "",
                example);
    }

    /** Runs one schedule and writes it down, whether it breaks anything or not. */
    public Counterexample replay(Schedule schedule) {
        return tell(new Explorer(world), schedule, -1);
    }

    private Search search() {
        int threads = program.threads().size();
        if (options.seed() != 0) {
            return new Pct(threads, options.seed(), 3);
        }
        return options.bound() >= 0
                ? new FewestSwitches(options.bound(), world.legend())
                : new Dpor(threads);
    }

    /** Deepens by preemptions, before named words first, until something breaks again. */
    private Counterexample shortest(
            Explorer explorer, Explorer.Tally first, Explorer.Tally total, long deadline) {
        for (Legend grain : Arrays.asList(world.legend(), null)) {
            for (int bound = 0; bound <= MOST_PREEMPTIONS; bound++) {
                Explorer.Tally pass =
                        explorer.explore(
                                new FewestSwitches(bound, grain),
                                new Explorer.Limits(deadline, Long.MAX_VALUE, false),
                                count -> {});
                total.add(pass);
                if (!pass.hits.isEmpty()) {
                    // Ordered by rule, the gravest first.
                    return tell(explorer, pass.hits.values().iterator().next().schedule(), bound);
                }
            }
        }
        return tell(explorer, first.hits.values().iterator().next().schedule(), -1);
    }

    private Counterexample tell(Explorer explorer, Schedule schedule, int preemptions) {
        Story story = new Story(world.threads().size(), world.legend());
        Explorer.Hit hit = explorer.tell(schedule, story);
        return new Counterexample(
                story.lines().stream()
                        .map(line ->
                                new Counterexample.Line(line.thread(), line.text(), line.step()))
                        .toList(),
                hit == null ? List.of() : hit.findings(),
                hit == null ? schedule : hit.schedule(),
                preemptions,
                String.join(" | ", world.threads()));
    }
}
