// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.check;

import dev.seamlab.machine.sched.Act;
import dev.seamlab.machine.sched.LogicalThread;
import dev.seamlab.machine.sched.SteppedRun;
import dev.seamlab.machine.sched.SteppedRun.End;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongConsumer;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** Runs the schedules that a search asks for, and collects what they break. */
final class Explorer {
    private static final int PROGRESS_EVERY = 256;

    /** A schedule that breaks a rule. */
    record Hit(Schedule schedule, List<Finding> findings) {
        /** The gravest finding. */
        Finding gravest() {
            Finding gravest = findings.getFirst();
            for (Finding finding : findings) {
                gravest = finding.rule().compareTo(gravest.rule()) < 0 ? finding : gravest;
            }
            return gravest;
        }

        Finding of(Rule rule) {
            for (Finding finding : findings) {
                if (finding.rule() == rule) {
                    return finding;
                }
            }
            throw new IllegalStateException("no finding about " + rule);
        }
    }

    /** What one search did. */
    static final class Tally {
        long schedules;
        long redundant;
        long steps;
        long nanos;
        boolean complete;
        boolean exhausted;
        final Map<Rule, Hit> hits = new EnumMap<>(Rule.class);

        void add(Tally other) {
            schedules += other.schedules;
            redundant += other.redundant;
            steps += other.steps;
            nanos += other.nanos;
        }
    }

    /**
     * When a search ends before its schedules do.
     *
     * @param deadline on the clock of {@link System#nanoTime}
     * @param schedules at most so many
     * @param stopAtFirst whether the first schedule that breaks a rule is enough
     */
    record Limits(long deadline, long schedules, boolean stopAtFirst) {
        boolean reached(Tally tally) {
            return tally.schedules >= schedules
                    || (stopAtFirst && !tally.hits.isEmpty())
                    || System.nanoTime() - deadline >= 0;
        }
    }

    private final World world;
    private final List<String> names;
    private final List<Runnable> bodies;
    private final Findings findings = new Findings();
    private byte[] choices = new byte[1024];
    private int length;

    Explorer(World world) {
        this.world = world;
        this.names = world.threads();
        this.bodies =
                IntStream.range(0, names.size())
                        .<Runnable>mapToObj(thread -> () -> world.body(thread))
                        .toList();
    }

    /** Tries schedules until the search has no more, or a limit is reached. */
    Tally explore(Search search, Limits limits, LongConsumer progress) {
        Tally tally = new Tally();
        long start = System.nanoTime();
        boolean more = true;
        while (more && !limits.reached(tally)) {
            SteppedRun run = once(search, null);
            tally.schedules++;
            tally.redundant += search.wasRedundant() ? 1 : 0;
            tally.steps += run.steps();
            if (!findings.isEmpty()) {
                keep(tally);
            }
            more = search.advance();
            if (tally.schedules % PROGRESS_EVERY == 0) {
                progress.accept(tally.schedules);
            }
        }
        tally.exhausted = !more;
        tally.complete = !more && search.isComplete();
        tally.nanos = System.nanoTime() - start;
        return tally;
    }

    /** Runs one schedule and writes it down. */
    @Nullable Hit tell(Schedule schedule, Story story) {
        once(new Replay(schedule), story);
        return findings.isEmpty()
                ? null
                : new Hit(new Schedule(Arrays.copyOf(choices, length)), findings.list());
    }

    /** The complete audit of the world at rest; empty where all is well. */
    List<Finding> audit() {
        findings.clear();
        world.reset(Narration.NONE);
        world.audit(findings);
        return findings.list();
    }

    /** Of the schedules that break a rule, the one that breaks it earliest. */
    private void keep(Tally tally) {
        Hit hit = null;
        for (Finding finding : findings.list()) {
            Hit known = tally.hits.get(finding.rule());
            if (known == null || finding.step() < known.of(finding.rule()).step()) {
                if (hit == null) {
                    hit = new Hit(new Schedule(Arrays.copyOf(choices, length)), findings.list());
                }
                tally.hits.put(finding.rule(), hit);
            }
        }
    }

    private SteppedRun once(Search search, @Nullable Story story) {
        findings.clear();
        length = 0;
        search.begin(world.reset(story == null ? Narration.NONE : story));
        SteppedRun run = new SteppedRun(names, bodies, world.hidden());
        End end = run.run(new Guide(search, story));
        findings.at(run.steps());
        int before = findings.list().size();
        judge(run, end);
        List<Finding> all = findings.list();
        if (story != null) {
            all.subList(before, all.size()).forEach(story::alarm);
        }
        if (!all.isEmpty()) {
            world.spoil();
        }
        return run;
    }

    /** Looks on after each step that a search decides, and writes down all of them. */
    private final class Guide implements SteppedRun.Director {
        private final Search search;
        private final @Nullable Story story;
        private int chosen;

        Guide(Search search, @Nullable Story story) {
            this.search = search;
            this.story = story;
        }

        @Override
        public int choose(SteppedRun run) {
            // Steps that were granted came after the one that was noted.
            note(chosen, run.steps());
            findings.at(run.steps());
            // What other schedules stand for is not looked at again, and not step by step.
            if (run.last() >= 0 && !search.wasRedundant()) {
                watch(run, story);
            }
            chosen = search.choose(run);
            return chosen;
        }

        @Override
        public int further() {
            return search.further();
        }
    }

    private void watch(SteppedRun run, @Nullable Story story) {
        if (story == null) {
            world.watch(run, findings);
            return;
        }
        story.step(run);
        int before = findings.list().size();
        world.watch(run, findings);
        List<Finding> all = findings.list();
        all.subList(before, all.size()).forEach(story::alarm);
    }

    /** All steps up to here, from where they are not noted yet, are the same thread's. */
    private void note(int chosen, int steps) {
        if (steps > choices.length) {
            choices = Arrays.copyOf(choices, 2 * steps);
        }
        if (steps > length) {
            Arrays.fill(choices, length, steps, (byte) chosen);
            length = steps;
        }
    }

    private void judge(SteppedRun run, End end) {
        boolean raised = false;
        for (int t = 0; t < run.size(); t++) {
            Throwable failure = run.thread(t).failure();
            if (failure != null) {
                raised = true;
                findings.add(Rule.of(failure), names.get(t) + ": " + failure.getMessage());
            }
        }
        switch (end) {
            case DONE -> {
                if (!raised) {
                    world.settle(findings);
                }
            }
            case STUCK -> stuck(run);
            case RUNAWAY ->
                    findings.add(Rule.RUNAWAY, "no end after " + SteppedRun.MAX_STEPS + " steps");
            case STOPPED -> throw new IllegalStateException("a search stopped half way");
        }
        if (raised || end != End.DONE) {
            world.spoil();
        }
    }

    private void stuck(SteppedRun run) {
        List<String> waiting = new ArrayList<>();
        Rule rule = Rule.DEADLOCK;
        for (int t = 0; t < run.size(); t++) {
            LogicalThread thread = run.thread(t);
            if (thread.missedItsWakeUp()) {
                rule = Rule.LOST_WAKE_UP;
            }
            if (!thread.isDone()) {
                String what =
                        thread.act() == Act.LOCK
                                ? String.valueOf(world.legend().name(thread.where(), thread.at()))
                                : "a condition";
                waiting.add("'" + names.get(t) + "' waits for " + what);
            }
        }
        findings.add(rule, String.join(", ", waiting));
    }
}
