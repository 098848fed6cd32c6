// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.access;

import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;

/** What a caller may do. Each role may do all that those before it may. */
public enum Role {
    /** Looks: gets, lists and watches. */
    VIEWER,

    /** Runs trust domains, and changes the host as an administrator would. */
    OPERATOR,

    /** Goes past the host's bookkeeping: raw SEAMCALLs, raw memory, sandboxes, faults. */
    LAB;

    /** Whether this role may do what the other may. */
    boolean covers(Role needed) {
        return compareTo(needed) >= 0;
    }

    /** The role with a name as token files have it. */
    static Optional<Role> named(String name) {
        return Arrays.stream(values()).filter(role -> role.text().equals(name)).findFirst();
    }

    /** All names, for messages. */
    static String names() {
        return Arrays.stream(values()).map(Role::text).collect(Collectors.joining(", "));
    }

    /** The name as token files and messages have it. */
    String text() {
        return name().toLowerCase(Locale.ROOT);
    }
}
