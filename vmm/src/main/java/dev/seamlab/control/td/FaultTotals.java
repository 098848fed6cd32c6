// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.td;

import dev.seamlab.vmm.TdProgress;
import dev.seamlab.vmm.TdSnapshot;
import dev.seamlab.vmm.TrustDomain;
import dev.seamlab.vmm.Vmm;
import jakarta.inject.Singleton;
import java.util.HashMap;
import java.util.Map;
import java.util.function.ToLongFunction;

/** Faults and exits since the server started, those of deleted trust domains included. */
@Singleton
public final class FaultTotals {
    private final Vmm vmm;

    // guarded by this; read by scrapes and written by deletes only
    private final Map<String, Long> retired = new HashMap<>();
    private final Map<String, Long> told = new HashMap<>();

    /** What can be totalled. */
    private static final Map<String, ToLongFunction<TdProgress>> FIGURES =
            Map.of(
                    "private", TdProgress::privateFaults,
                    "shared", TdProgress::sharedFaults,
                    "exits", TdProgress::tdExits,
                    "conversions", TdProgress::conversions);

    FaultTotals(Vmm vmm) {
        this.vmm = vmm;
    }

    /** Keeps the figures of a trust domain that is gone. */
    synchronized void retire(TdSnapshot last) {
        FIGURES.forEach((name, figure) ->
                retired.merge(name, figure.applyAsLong(last.progress()), Long::sum));
    }

    /** One total; never less than it was, also while a trust domain is on its way out. */
    public synchronized double total(String name) {
        ToLongFunction<TdProgress> figure = FIGURES.get(name);
        if (figure == null) {
            throw new IllegalArgumentException("no figure " + name);
        }
        long now = retired.getOrDefault(name, 0L);
        for (TrustDomain td : vmm.list()) {
            now += figure.applyAsLong(td.snapshot().progress());
        }
        return told.merge(name, now, Math::max);
    }
}
