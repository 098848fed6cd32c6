// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.metrics;

import dev.seamlab.control.call.ObserveSettings;
import dev.seamlab.control.seamcall.HostSeamcalls;
import dev.seamlab.control.seamcall.LeafTimes;
import dev.seamlab.seam.abi.Leaf;
import io.prometheus.client.Collector;
import io.prometheus.client.CollectorRegistry;
import io.quarkus.runtime.Startup;
import jakarta.inject.Singleton;
import java.util.ArrayList;
import java.util.List;

/**
 * The histogram {@code seamlab_seamcall_duration_seconds} by leaf, where {@code
 * seamlab.observe.leaf-times} asks for it. Micrometer has no histogram that reads figures which are
 * kept elsewhere, so this one goes to Prometheus' registry itself.
 */
@Singleton
@Startup
final class LeafHistograms {
    private static final String NAME = "seamlab_seamcall_duration_seconds";
    private static final double NANOS = 1e9;

    LeafHistograms(ObserveSettings settings, HostSeamcalls seamcalls, CollectorRegistry registry) {
        if (settings.leafTimes()) {
            LeafTimes times = seamcalls.measure();
            registry.register(
                    new Collector() {
                        @Override
                        public List<MetricFamilySamples> collect() {
                            return LeafHistograms.collect(times);
                        }
                    });
        }
    }

    static List<Collector.MetricFamilySamples> collect(LeafTimes times) {
        List<Collector.MetricFamilySamples.Sample> samples = new ArrayList<>();
        for (Leaf leaf : Leaf.values()) {
            addLeaf(times, leaf, samples);
        }
        return List.of(
                new Collector.MetricFamilySamples(
                        NAME,
                        Collector.Type.HISTOGRAM,
                        "How long the SEAMCALLs of a leaf took",
                        samples));
    }

    private static void addLeaf(
            LeafTimes times, Leaf leaf, List<Collector.MetricFamilySamples.Sample> samples) {
        long[] upTo = new long[LeafTimes.BUCKETS + 1];
        long count = 0;
        for (int bucket = 0; bucket <= LeafTimes.BUCKETS; bucket++) {
            count += times.count(leaf, bucket);
            upTo[bucket] = count;
        }
        if (count == 0) {
            return;
        }
        for (int bucket = 0; bucket <= LeafTimes.BUCKETS; bucket++) {
            String end =
                    bucket == LeafTimes.BUCKETS
                            ? "+Inf"
                            : Double.toString(LeafTimes.end(bucket) / NANOS);
            samples.add(
                    new Collector.MetricFamilySamples.Sample(
                            NAME + "_bucket",
                            List.of("leaf", "le"),
                            List.of(leaf.abiName(), end),
                            (double) upTo[bucket]));
        }
        samples.add(sample("_count", leaf, (double) count));
        samples.add(sample("_sum", leaf, times.sum(leaf) / NANOS));
    }

    private static Collector.MetricFamilySamples.Sample sample(
            String suffix, Leaf leaf, double value) {
        return new Collector.MetricFamilySamples.Sample(
                NAME + suffix, List.of("leaf"), List.of(leaf.abiName()), value);
    }
}
