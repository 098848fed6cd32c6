// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.machine.sched;

/** What a logical thread is about to do next. */
public enum Act {
    READ,
    WRITE,
    /** A read-modify-write; whether it changed the word is known afterwards. */
    UPDATE,
    LOCK,
    TRY_LOCK,
    UNLOCK,
    /** Enters a wait queue. */
    ENQUEUE,
    /** Wakes who waits in a queue. */
    WAKE,
    /** Goes on once a condition holds. */
    AWAIT,
    /** Goes on once a condition holds and somebody has said so. */
    SLEEP,
    /** Lets others go first, between two attempts at something that was busy. */
    PAUSE,
    /** Nothing more. */
    END;

    /** By number of the step: looked at for each of them. */
    private static final Act[] BY_STEP = bySteps();

    private static Act[] bySteps() {
        Act[] acts = new Act[Wiring.Step.values().length];
        for (Wiring.Step step : Wiring.Step.values()) {
            acts[step.ordinal()] =
                    switch (step) {
                        case READ -> READ;
                        case WRITE -> WRITE;
                        case COMPARE_AND_SET -> UPDATE;
                        case LOCK -> LOCK;
                        case TRY_LOCK -> TRY_LOCK;
                        case UNLOCK -> UNLOCK;
                        case WAIT -> ENQUEUE;
                        case SIGNAL -> WAKE;
                    };
        }
        return acts;
    }

    static Act of(Wiring.Step step) {
        return BY_STEP[step.ordinal()];
    }
}
