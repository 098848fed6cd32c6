// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.metrics;

import dev.seamlab.control.call.ObserveSettings;
import dev.seamlab.control.seamcall.HostSeamcalls;
import dev.seamlab.control.seamcall.LeafTimes;
import dev.seamlab.seam.abi.Leaf;
import io.prometheus.client.CollectorRegistry;
import io.quarkus.runtime.Startup;
import jakarta.inject.Singleton;
import java.util.Arrays;
import java.util.List;
import java.util.stream.LongStream;

/**
 * How long SEAMCALLs take, by leaf, where {@code seamlab.observe.leaf-times} asks for it. Where it
 * does not, nothing stands between CPU and module. TDH.VP.ENTER lasts as long as the guest runs.
 */
@Singleton
@Startup
final class LeafHistograms {
    LeafHistograms(ObserveSettings settings, HostSeamcalls seamcalls, CollectorRegistry registry) {
        if (settings.leafTimes()) {
            LeafTimes times = seamcalls.measure();
            registry.register(
                    new TimeHistogram(
                            "seamlab_seamcall_duration",
                            "How long SEAMCALLs took, by leaf",
                            List.of("leaf"),
                            () ->
                                    Arrays.stream(Leaf.values())
                                            .map(leaf -> series(times, leaf))
                                            .toList()));
        }
    }

    private static TimeHistogram.Series series(LeafTimes times, Leaf leaf) {
        return new TimeHistogram.Series(
                List.of(leaf.abiName()),
                LongStream.of(times.buckets(leaf)).boxed().toList(),
                times.sumNanos(leaf));
    }
}
