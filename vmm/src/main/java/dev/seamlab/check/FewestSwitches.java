// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.check;

import dev.seamlab.machine.sched.Act;
import dev.seamlab.machine.sched.LogicalThread;
import dev.seamlab.machine.sched.SteppedRun;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Every schedule with at most so many preemptions: a thread that could go on is pushed aside only
 * so often, and only before words and locks that the legend names. Changing over because a thread
 * is done or has to wait is free. Run with 0, 1, 2, ... the first schedule that breaks a rule is
 * one with the fewest preemptions (Musuvathi and Qadeer, PLDI 2007).
 */
final class FewestSwitches implements Search {
    private final int bound;
    private final @Nullable Legend legend;
    private final List<Branch> branches = new ArrayList<>();
    private int place;
    private int step;
    private boolean limited;

    /** A step before which more than one thread could go on. */
    private static final class Branch {
        final int step;
        final int[] threads;
        final boolean preempts;
        final int spentBefore;
        int taken;

        Branch(int step, int[] threads, boolean preempts, int spentBefore) {
            this.step = step;
            this.threads = threads;
            this.preempts = preempts;
            this.spentBefore = spentBefore;
        }

        int spent() {
            return spentBefore + (preempts && taken > 0 ? 1 : 0);
        }
    }

    /**
     * @param bound preemptions at most
     * @param legend names the words before which they are tried; null: before all words
     */
    FewestSwitches(int bound, @Nullable Legend legend) {
        this.bound = bound;
        this.legend = legend;
    }

    @Override
    public String name() {
        return "up to " + bound + (bound == 1 ? " preemption" : " preemptions");
    }

    @Override
    public boolean isComplete() {
        return !limited;
    }

    @Override
    public boolean wasRedundant() {
        return false;
    }

    @Override
    public void begin(boolean sameWords) {
        place = 0;
        step = 0;
    }

    @Override
    public int choose(SteppedRun run) {
        int mask = run.enabled();
        if (mask == 0) {
            return SteppedRun.STOP;
        }
        int at = step++;
        if (place < branches.size() && branches.get(place).step == at) {
            Branch branch = branches.get(place++);
            return branch.threads[branch.taken];
        }
        int last = run.last();
        boolean goesOn =
                last >= 0 && (mask >>> last & 1) != 0 && run.thread(last).act() != Act.PAUSE;
        if (place < branches.size() || Integer.bitCount(mask) == 1) {
            // Between branches of the present path, or nothing to choose.
            return goesOn ? last : Integer.numberOfTrailingZeros(mask);
        }
        int spent = branches.isEmpty() ? 0 : branches.getLast().spent();
        if (goesOn && (spent == bound || !isNamed(run.thread(last)))) {
            limited = true;
            return last;
        }
        branches.add(new Branch(at, order(mask, goesOn ? last : -1), goesOn, spent));
        place++;
        return branches.getLast().threads[0];
    }

    private boolean isNamed(LogicalThread thread) {
        return legend == null || legend.name(thread.where(), thread.at()) != null;
    }

    private static int[] order(int mask, int first) {
        int[] threads = new int[Integer.bitCount(mask)];
        int size = 0;
        if (first >= 0) {
            threads[size++] = first;
        }
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int thread = Integer.numberOfTrailingZeros(rest);
            if (thread != first) {
                threads[size++] = thread;
            }
        }
        return threads;
    }

    @Override
    public boolean advance() {
        while (!branches.isEmpty()) {
            Branch last = branches.getLast();
            if (last.taken + 1 < last.threads.length) {
                last.taken++;
                return true;
            }
            branches.removeLast();
        }
        return false;
    }
}
