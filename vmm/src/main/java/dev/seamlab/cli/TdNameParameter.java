// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import picocli.CommandLine.Parameters;

/** The trust domain that a command is about. */
final class TdNameParameter {
    private static final String PREFIX = "trustDomains/";

    @Parameters(paramLabel = "NAME", description = "Trust domain, with or without trustDomains/.")
    private String name;

    /** The resource name. */
    String get() {
        return full(name);
    }

    /** A resource name from what a person typed. */
    static String full(String typed) {
        return typed.startsWith(PREFIX) ? typed : PREFIX + typed;
    }
}
