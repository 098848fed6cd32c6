// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.metrics;

import dev.seamlab.machine.sched.LockRank;
import dev.seamlab.machine.sched.LockWaits;
import dev.seamlab.machine.sched.WaitTimes;
import io.prometheus.client.CollectorRegistry;
import io.quarkus.runtime.Startup;
import jakarta.inject.Singleton;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.LongStream;

/**
 * How long threads waited for locks, by rank and by what they wanted the lock for. Always there: a
 * thread that finds a lock free does nothing for it. A CPU counts as a lock, too.
 */
@Singleton
@Startup
final class LockHistograms {
    LockHistograms(CollectorRegistry registry) {
        registry.register(
                new TimeHistogram(
                        "seamlab_lock_wait",
                        "How long threads waited for locks that were held, by rank",
                        List.of("rank", "mode"),
                        LockHistograms::all));
    }

    private static List<TimeHistogram.Series> all() {
        List<TimeHistogram.Series> all = new ArrayList<>();
        for (LockRank rank : LockRank.values()) {
            for (LockWaits.Mode mode : LockWaits.Mode.values()) {
                WaitTimes.Snapshot waits = LockWaits.of(rank, mode);
                all.add(
                        new TimeHistogram.Series(
                                List.of(rank.name(), mode.name().toLowerCase(Locale.ROOT)),
                                LongStream.of(waits.buckets()).boxed().toList(),
                                waits.totalNanos()));
            }
        }
        return all;
    }
}
