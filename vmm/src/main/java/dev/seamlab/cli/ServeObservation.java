// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import java.net.URI;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** What a server measures and tells beyond what costs nothing. */
final class ServeObservation {
    @Option(
            names = "--leaf-times",
            description =
                    "Measure how long SEAMCALLs take: a histogram per leaf among the metrics. Costs"
                            + " two clock readings for each.")
    private boolean leafTimes;

    @Option(
            names = "--otlp",
            paramLabel = "URL",
            description =
                    "Send traces to this OpenTelemetry collector (gRPC), for example"
                            + " http://127.0.0.1:4317 (default: none are made).")
    private @Nullable URI otlp;

    @Option(
            names = "--log",
            paramLabel = "text|json",
            defaultValue = "text",
            description = "How log lines look (default: ${DEFAULT-VALUE}).")
    private LogFormat log;

    /** How log lines look. */
    enum LogFormat {
        TEXT,
        JSON
    }

    /** Tells the server. */
    void apply() {
        if (leafTimes) {
            System.setProperty("seamlab.observe.leaf-times", "true");
        }
        if (otlp != null) {
            System.setProperty("quarkus.otel.sdk.disabled", "false");
            System.setProperty("quarkus.otel.exporter.otlp.endpoint", otlp.toString());
        }
        if (log == LogFormat.JSON) {
            System.setProperty("seamlab.observe.json-log", "true");
        }
    }
}
