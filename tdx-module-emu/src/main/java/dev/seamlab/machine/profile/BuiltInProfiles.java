// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.machine.profile;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** The profiles that come with the program, as YAML resources beside this class. */
public final class BuiltInProfiles {
    /** Small enough for a demo on a laptop. */
    public static final String DEFAULT = "laptop-16g";

    private static final List<String> NAMES =
            List.of(DEFAULT, "server-256g", "server-1t", "server-2t-2s", "server-6t", "top-of-52");

    private BuiltInProfiles() {}

    /** Names of all, smallest host first. */
    public static List<String> names() {
        return NAMES;
    }

    /**
     * The profile with a name.
     *
     * @throws InvalidProfileException naming all profiles
     */
    public static MachineProfile byName(String name) {
        if (!NAMES.contains(name)) {
            throw new InvalidProfileException(
                    "name",
                    "\""
                            + name
                            + "\" is no built-in profile; there are "
                            + String.join(", ", NAMES));
        }
        String resource = name + ".yaml";
        try (InputStream in = BuiltInProfiles.class.getResourceAsStream(resource)) {
            if (in == null) {
                throw new IllegalStateException("resource " + resource + " is not packaged");
            }
            return ProfileReader.parse(new String(in.readAllBytes(), StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The profile for those who name none. */
    public static MachineProfile defaultProfile() {
        return byName(DEFAULT);
    }

    /** All of them, smallest host first. */
    public static List<MachineProfile> all() {
        return NAMES.stream().map(BuiltInProfiles::byName).toList();
    }
}
