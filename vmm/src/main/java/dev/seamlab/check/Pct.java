// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.check;

import dev.seamlab.machine.sched.SteppedRun;
import java.util.Arrays;
import java.util.SplittableRandom;

/**
 * Random schedules by priority (PCT: Burckhardt and others, ASPLOS 2010): the thread with the
 * highest priority moves; at a few random steps the one that moves falls behind all others. A bug
 * that needs {@code d} such changes among {@code k} steps of {@code n} threads is hit with
 * probability of at least 1 in n·k^d, whatever the rest of the schedule is.
 */
final class Pct implements Search {
    private final SplittableRandom random;
    private final int changes;
    private final long seed;
    private final int[] priority;
    private final int[] changeAt;
    private int step;
    private int longest = 64;

    /**
     * @param seed the same seed gives the same schedules
     * @param changes how often a priority falls in one schedule
     */
    Pct(int threads, long seed, int changes) {
        this.seed = seed;
        this.random = new SplittableRandom(seed);
        this.changes = changes;
        this.priority = new int[threads];
        this.changeAt = new int[changes];
    }

    @Override
    public String name() {
        return "random, seed " + seed;
    }

    @Override
    public boolean isComplete() {
        return false;
    }

    @Override
    public boolean wasRedundant() {
        return false;
    }

    @Override
    public void begin(boolean sameWords) {
        longest = Math.max(longest, step);
        step = 0;
        for (int t = 0; t < priority.length; t++) {
            int other = random.nextInt(t + 1);
            priority[t] = priority[other];
            priority[other] = changes + t;
        }
        for (int i = 0; i < changes; i++) {
            changeAt[i] = random.nextInt(longest);
        }
        Arrays.sort(changeAt);
    }

    @Override
    public int choose(SteppedRun run) {
        int mask = run.enabled();
        if (mask == 0) {
            return SteppedRun.STOP;
        }
        int best = highest(mask);
        for (int i = 0; i < changes; i++) {
            if (changeAt[i] == step) {
                priority[best] = changes - 1 - i;
                best = highest(mask);
            }
        }
        step++;
        return best;
    }

    private int highest(int mask) {
        int best = -1;
        for (int t = 0; t < priority.length; t++) {
            if ((mask >>> t & 1) != 0 && (best < 0 || priority[t] > priority[best])) {
                best = t;
            }
        }
        return best;
    }

    @Override
    public boolean advance() {
        return true;
    }
}
