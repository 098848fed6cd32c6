// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.machine.sched;

/**
 * How long threads of this process waited for each kind of lock, whichever of its kind it was and
 * whether it is still there. Any thread reads and writes; nobody comes here who did not wait.
 */
public final class LockWaits {
    /** What a thread wanted the lock for. */
    public enum Mode {
        /** To have it alone. */
        EXCLUSIVE,
        /** To have it beside others. */
        SHARED
    }

    private static final WaitTimes[][] BY_RANK = all();

    private LockWaits() {}

    private static WaitTimes[][] all() {
        WaitTimes[][] all = new WaitTimes[LockRank.values().length][Mode.values().length];
        for (WaitTimes[] modes : all) {
            for (int mode = 0; mode < modes.length; mode++) {
                modes[mode] = new WaitTimes();
            }
        }
        return all;
    }

    /** Notes one wait, which is over. */
    public static void waited(LockRank rank, Mode mode, long nanos) {
        BY_RANK[rank.ordinal()][mode.ordinal()].waited(nanos);
    }

    /** The waits so far. */
    public static WaitTimes.Snapshot of(LockRank rank, Mode mode) {
        return BY_RANK[rank.ordinal()][mode.ordinal()].snapshot();
    }
}
