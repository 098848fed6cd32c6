// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import picocli.CommandLine.Option;

/** What a server measures and tells beyond what costs nothing. */
final class ServeObservation {
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
        if (log == LogFormat.JSON) {
            System.setProperty("seamlab.observe.json-log", "true");
        }
    }
}
