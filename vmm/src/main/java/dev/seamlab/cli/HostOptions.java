// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import dev.seamlab.control.host.HostSetup;
import dev.seamlab.host.Preset;
import dev.seamlab.machine.profile.BuiltInProfiles;
import java.util.Arrays;
import java.util.Iterator;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** What kind of host to start. */
final class HostOptions {
    @Option(
            names = "--profile",
            paramLabel = "NAME|FILE",
            completionCandidates = Profiles.class,
            description =
                    "Machine profile: ${COMPLETION-CANDIDATES}, or a YAML file (or"
                            + " SEAMLAB_PROFILE; default: "
                            + BuiltInProfiles.DEFAULT
                            + ").")
    private @Nullable String profile;

    @Option(
            names = "--preset",
            paramLabel = "NAME",
            completionCandidates = Presets.class,
            description =
                    "Variants of the Dynamic PAMT series: ${COMPLETION-CANDIDATES} (or"
                            + " SEAMLAB_PRESET; default: v4).")
    private @Nullable String preset;

    /** Brings the host up, so that a mistake is told before the server starts. */
    void bringUp() {
        String theProfile =
                setting(profile, "seamlab.profile", "SEAMLAB_PROFILE", BuiltInProfiles.DEFAULT);
        String thePreset = setting(preset, "seamlab.preset", "SEAMLAB_PRESET", Preset.DEFAULT.id());
        HostSetup.prepare(theProfile, thePreset);
    }

    /** The option, else the property, else the environment, as the server itself looks. */
    private static String setting(
            @Nullable String option, String property, String variable, String otherwise) {
        if (option != null) {
            return option;
        }
        String fromProperty = System.getProperty(property);
        if (fromProperty != null) {
            return fromProperty;
        }
        String fromEnvironment = System.getenv(variable);
        return fromEnvironment != null ? fromEnvironment : otherwise;
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
