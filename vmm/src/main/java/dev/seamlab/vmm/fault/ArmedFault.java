// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm.fault;

import dev.seamlab.machine.sched.Cells;
import dev.seamlab.machine.sched.Waits;

/** A fault at work, and what it has done. Any thread. */
public final class ArmedFault {
    private static final int MATCHES = 16;
    private static final int HITS = 32;

    private final FaultRule rule;
    private final long[] words = new long[48];
    private volatile boolean disarmed;

    ArmedFault(FaultRule rule) {
        this.rule = rule;
    }

    /** What was armed. */
    public FaultRule rule() {
        return rule;
    }

    /** Matching calls since it was armed. */
    public long matches() {
        return Cells.acquire(words, MATCHES);
    }

    /** How often it fired; exact, and never more than {@link FaultRule#times}. */
    public long hits() {
        return Cells.acquire(words, HITS);
    }

    /** Whether it will not fire again. */
    public boolean isSpent() {
        return disarmed || hits() >= rule.times();
    }

    /** Counts a call that matches; whether it is one that fails. */
    boolean strikes() {
        long number = Cells.getAndAdd(words, MATCHES, 1) + 1;
        return rule.trigger().strikes(number) && take();
    }

    /** One of the times that are left, if any. */
    private boolean take() {
        while (!isSpent()) {
            long before = hits();
            if (before < rule.times() && Cells.cas(words, HITS, before, before + 1)) {
                return true;
            }
        }
        return false;
    }

    /** The CPU is busy with the call meanwhile; a fault that is disarmed lets it go. */
    void delay() {
        if (!rule.delay().isZero()) {
            boolean early = Waits.busyUntil(() -> disarmed, rule.delay());
            assert !early || disarmed;
        }
    }

    void disarm() {
        disarmed = true;
        Waits.changed();
    }
}
