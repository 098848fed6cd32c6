// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.check;

import org.jspecify.annotations.Nullable;

/**
 * What a check found.
 *
 * @param initially the state that every schedule starts from
 * @param search how schedules were chosen
 * @param schedulesInAll with those of the hunt for the shortest counterexample
 * @param schedules of the search itself
 * @param steps shared-memory steps of all schedules
 * @param nanos of the search itself
 * @param complete whether no schedule that could end differently was left out
 * @param covered what was tried without a gap; empty where the search ended before its schedules
 * @param counterexample the shortest known; null where nothing was found
 */
public record Report(
        Variant variant,
        Program program,
        String initially,
        String search,
        long schedulesInAll,
        long schedules,
        long steps,
        long nanos,
        boolean complete,
        String covered,
        @Nullable Counterexample counterexample) {

    /** In a word or two. */
    public String verdict() {
        if (counterexample != null) {
            return "BROKEN " + counterexample.rule();
        }
        return covered.isEmpty() ? "clean so far" : "clean, " + covered;
    }

    /** Schedules per second of the search itself. */
    public long rate() {
        return nanos == 0 ? 0 : Math.round(schedules * 1e9 / nanos);
    }
}
