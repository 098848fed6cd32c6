// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.check;

import dev.seamlab.machine.sched.SteppedRun;

/** One given schedule; where it ends before the threads do, they go on one after another. */
final class Replay implements Search {
    private final byte[] threads;
    private int step;

    Replay(Schedule schedule) {
        this.threads = schedule.threads();
    }

    @Override
    public String name() {
        return "replay";
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
        step = 0;
    }

    @Override
    public int choose(SteppedRun run) {
        int mask = run.enabled();
        if (mask == 0) {
            return SteppedRun.STOP;
        }
        if (step < threads.length) {
            int thread = threads[step++];
            if ((mask >>> thread & 1) == 0) {
                throw new IllegalArgumentException(
                        "the schedule does not fit: thread "
                                + thread
                                + " cannot take step "
                                + step
                                + "; it was made for another program, variant or version");
            }
            return thread;
        }
        int last = run.last();
        return last >= 0 && (mask >>> last & 1) != 0 ? last : Integer.numberOfTrailingZeros(mask);
    }

    @Override
    public boolean advance() {
        return false;
    }
}
