// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.check;

import dev.seamlab.machine.sched.LockRank;
import dev.seamlab.machine.sched.SteppedRun;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/** A world of a few words and locks, whose outcomes are collected. */
abstract class MiniWorld implements World {
    final Set<String> outcomes = new TreeSet<>();
    final Legend legend = new Legend();
    private final int threads;

    MiniWorld(int threads) {
        this.threads = threads;
    }

    /** The initial state. */
    abstract void start();

    /** What the run came to. */
    abstract String outcome();

    @Override
    public List<String> threads() {
        List<String> names = new ArrayList<>();
        for (int t = 0; t < threads; t++) {
            names.add("thread " + t);
        }
        return names;
    }

    @Override
    public String initially() {
        return "zero";
    }

    @Override
    public Set<LockRank> hidden() {
        return EnumSet.noneOf(LockRank.class);
    }

    @Override
    public boolean reset(Narration notes) {
        start();
        return keepsItsWords();
    }

    /** Whether every schedule works on the same arrays and locks. */
    boolean keepsItsWords() {
        return false;
    }

    @Override
    public void watch(SteppedRun run, Findings into) {}

    @Override
    public void settle(Findings into) {
        outcomes.add(outcome());
    }

    @Override
    public void audit(Findings into) {}

    @Override
    public void spoil() {}

    @Override
    public Legend legend() {
        return legend;
    }

    /** Tries every schedule that a search has. */
    Explorer.Tally explore(Search search) {
        outcomes.clear();
        return new Explorer(this)
                .explore(
                        search,
                        new Explorer.Limits(System.nanoTime() + 60_000_000_000L, 2_000_000, false),
                        count -> {});
    }
}
