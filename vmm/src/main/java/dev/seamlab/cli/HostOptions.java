// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import dev.seamlab.control.HostSetup;
import dev.seamlab.host.Preset;
import dev.seamlab.machine.profile.BuiltInProfiles;
import java.util.Arrays;
import java.util.Iterator;
import picocli.CommandLine.Option;

/** What kind of host to start. */
final class HostOptions {
    @Option(
            names = "--profile",
            paramLabel = "NAME|FILE",
            completionCandidates = Profiles.class,
            description =
                    "Machine profile: ${COMPLETION-CANDIDATES}, or a YAML file (default:"
                            + " "
                            + BuiltInProfiles.DEFAULT
                            + ").")
    private String profile = BuiltInProfiles.DEFAULT;

    @Option(
            names = "--preset",
            paramLabel = "NAME",
            completionCandidates = Presets.class,
            description =
                    "Variants of the Dynamic PAMT series: ${COMPLETION-CANDIDATES} (default: v4).")
    private String preset = Preset.DEFAULT.id();

    /** Reads them, so that a mistake is told before anything starts, and hands them on. */
    void check() {
        HostSetup.of(profile, preset);
        System.setProperty("seamlab.profile", profile);
        System.setProperty("seamlab.preset", preset);
    }

    /** For help and completion. */
    static final class Profiles implements Iterable<String> {
        @Override
        public Iterator<String> iterator() {
            return BuiltInProfiles.names().iterator();
        }
    }

    /** For help and completion. */
    static final class Presets implements Iterable<String> {
        @Override
        public Iterator<String> iterator() {
            return Arrays.stream(Preset.values()).map(Preset::id).iterator();
        }
    }
}
