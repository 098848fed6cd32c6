// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.check;

import dev.seamlab.machine.sched.LockRank;
import dev.seamlab.machine.sched.SteppedRun;
import java.util.List;
import java.util.Set;

/**
 * Production objects in a known state, and what each thread does with them. Every schedule starts
 * from the same state; a world that a schedule has damaged is built anew.
 */
interface World {
    /** A name per thread: what it executes. */
    List<String> threads();

    /** The state that every schedule starts from, for people. */
    String initially();

    /** Locks whose critical sections count as part of the step before them. */
    Set<LockRank> hidden();

    /**
     * Brings everything into the initial state.
     *
     * @param notes told of operations and SEAMCALLs of the schedule that follows
     * @return whether arrays and locks are those of the schedule before
     */
    boolean reset(Narration notes);

    /** What a thread does; on the logical thread. */
    void body(int thread);

    /** Looks at what must hold always; after each step, between two threads. */
    void watch(SteppedRun run, Findings into);

    /** Looks at what must hold when every thread is done, and undoes what they did. */
    void settle(Findings into);

    /** The complete audit of a world at rest. */
    void audit(Findings into);

    /** The next {@link #reset} builds everything anew. */
    void spoil();

    /** Names of words and locks. */
    Legend legend();
}
