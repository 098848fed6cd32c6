// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.metrics;

import dev.seamlab.machine.sched.TimeBuckets;
import io.prometheus.client.Collector;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;

/**
 * A histogram of times that are counted elsewhere, in {@link TimeBuckets}, read when somebody
 * scrapes. It stands in the registry that Micrometer's is built on, because no meter of Micrometer
 * shows buckets that it does not fill itself.
 */
final class TimeHistogram extends Collector {
    /** The first bucket that is told ends at 64 ns; shorter times are in it, too. */
    private static final int FIRST = 6;

    /** The last one with an end ends at 8.6 s. */
    private static final int LAST = 33;

    private static final double NANOS = 1e9;

    private final String name;
    private final String help;
    private final List<String> labels;
    private final Supplier<List<Series>> source;

    /**
     * What was counted for one value of the labels.
     *
     * @param values of the labels
     * @param buckets how many times, by {@link TimeBuckets}
     * @param sumNanos their sum
     */
    record Series(List<String> values, List<Long> buckets, long sumNanos) {}

    /**
     * @param name without unit; {@code _seconds} follows
     * @param labels their names
     * @param source what there is to tell now; a series with no times is not shown
     */
    TimeHistogram(String name, String help, List<String> labels, Supplier<List<Series>> source) {
        this.name = name + "_seconds";
        this.help = help;
        this.labels = List.copyOf(labels);
        this.source = source;
    }

    @Override
    public List<MetricFamilySamples> collect() {
        List<MetricFamilySamples.Sample> samples = new ArrayList<>();
        source.get().forEach(series -> add(series, samples));
        return List.of(new MetricFamilySamples(name, Type.HISTOGRAM, help, samples));
    }

    private void add(Series series, List<MetricFamilySamples.Sample> samples) {
        List<String> names = new ArrayList<>(labels);
        names.add("le");
        long upTo = 0;
        List<MetricFamilySamples.Sample> buckets = new ArrayList<>();
        for (int bucket = 0; bucket < TimeBuckets.COUNT; bucket++) {
            upTo += series.buckets().get(bucket);
            if ((bucket >= FIRST && bucket <= LAST) || bucket == TimeBuckets.COUNT - 1) {
                List<String> values = new ArrayList<>(series.values());
                values.add(doubleToGoString(end(bucket)));
                buckets.add(sample("_bucket", names, values, (double) upTo));
            }
        }
        if (upTo > 0) {
            samples.addAll(buckets);
            samples.add(sample("_count", labels, series.values(), (double) upTo));
            samples.add(sample("_sum", labels, series.values(), series.sumNanos() / NANOS));
        }
    }

    private MetricFamilySamples.Sample sample(
            String suffix, List<String> names, List<String> values, double value) {
        return new MetricFamilySamples.Sample(name + suffix, names, values, value);
    }

    /** Longest time of a bucket, in seconds. */
    private static double end(int bucket) {
        return bucket == TimeBuckets.COUNT - 1
                ? Double.POSITIVE_INFINITY
                : TimeBuckets.end(bucket) / NANOS;
    }
}
