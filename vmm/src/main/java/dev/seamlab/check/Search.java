// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.check;

import dev.seamlab.machine.sched.SteppedRun;

/** A way through the schedules of a program. */
interface Search extends SteppedRun.Director {
    /**
     * The next schedule begins.
     *
     * @param sameWords whether it works on the same arrays and locks as the one before
     */
    void begin(boolean sameWords);

    /** A schedule is over. Whether there is another one. */
    boolean advance();

    /** Whether every schedule was tried that could end differently, when none is left. */
    boolean isComplete();

    /** Whether the schedule that just ended was cut short because others stand for it. */
    boolean wasRedundant();

    /** One phrase for reports. */
    String name();
}
