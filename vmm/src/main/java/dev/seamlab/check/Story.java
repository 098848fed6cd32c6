// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.check;

import dev.seamlab.machine.sched.Act;
import dev.seamlab.machine.sched.LogicalThread;
import dev.seamlab.machine.sched.SteppedRun;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Writes down one schedule in the words of the patches: what has no name is left out. */
final class Story implements Narration {
    /**
     * One line.
     *
     * @param thread who; -1 for what was found
     * @param step steps taken when it ended
     */
    record Line(int thread, String text, int step) {}

    private final Legend legend;
    private final List<Line> lines = new ArrayList<>();
    private final List<Line> pending = new ArrayList<>();
    private final @Nullable Line[] open;
    private final boolean[] waits;

    Story(int threads, Legend legend) {
        this.legend = legend;
        this.open = new @Nullable Line[threads];
        this.waits = new boolean[threads];
    }

    /** The story so far. */
    List<Line> lines() {
        return List.copyOf(lines);
    }

    @Override
    public void note(String text) {
        add(pending, text);
    }

    @Override
    public void call(String leaf) {
        int thread = thread();
        Line line = new Line(thread, leaf, 0);
        pending.add(line);
        open[thread] = line;
    }

    @Override
    public void answer(String status) {
        Line call = open[thread()];
        if (call != null) {
            pending.add(new Line(call.thread, call.text + " → " + status, -1));
        }
    }

    /** A step is over: what it was, then what its thread said on the way to its next one. */
    void step(SteppedRun run) {
        if (run.last() >= 0) {
            String text = describe(run);
            if (text != null) {
                lines.add(new Line(run.last(), text, run.steps()));
            }
        }
        for (Line line : pending) {
            append(new Line(line.thread, line.text, run.steps()), line.step < 0);
        }
        pending.clear();
        for (int t = 0; t < run.size(); t++) {
            LogicalThread thread = run.thread(t);
            boolean stuck = thread.act() == Act.LOCK && (run.enabled() >>> t & 1) == 0;
            if (stuck && !waits[t]) {
                lines.add(
                        new Line(
                                t,
                                "waits for " + legend.name(thread.where(), thread.at()),
                                run.steps()));
            }
            waits[t] = stuck;
        }
    }

    /** Something was found. */
    void alarm(Finding finding) {
        lines.add(new Line(-1, finding.rule() + ": " + finding.text(), finding.step()));
    }

    /** An answer stands in the line of its call, unless somebody did something in between. */
    private void append(Line line, boolean isAnswer) {
        if (isAnswer && !lines.isEmpty()) {
            Line last = lines.getLast();
            if (last.thread == line.thread && line.text.startsWith(last.text + " →")) {
                lines.removeLast();
            }
        }
        lines.add(line);
    }

    private void add(List<Line> to, String text) {
        to.add(new Line(thread(), text, 0));
    }

    private static int thread() {
        LogicalThread self = SteppedRun.currentThread();
        if (self == null) {
            throw new IllegalStateException("only the threads of a schedule tell");
        }
        return self.index();
    }

    private @Nullable String describe(SteppedRun run) {
        String name = legend.name(run.lastWhere(), run.lastAt());
        if (name == null) {
            return null;
        }
        long before = run.lastBefore();
        long after = run.lastAfter();
        return switch (run.lastAct()) {
            case READ -> "read " + name + ": " + before;
            case WRITE -> "set " + name + " := " + after;
            case UPDATE ->
                    before == after
                            ? "try to change " + name + ": stays " + after
                            : (after == before + 1
                                            ? "inc "
                                            : after == before - 1 ? "dec " : "change ")
                                    + name
                                    + " "
                                    + before
                                    + "→"
                                    + after;
            case LOCK -> "take " + name;
            case TRY_LOCK -> before == 0 ? "try " + name + ": taken" : "try " + name + ": busy";
            case UNLOCK -> "release " + name;
            default -> null;
        };
    }
}
