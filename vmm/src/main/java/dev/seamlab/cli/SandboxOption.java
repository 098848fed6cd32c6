// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import picocli.CommandLine.Option;

/** Which machine a raw command is for. */
final class SandboxOption {
    private static final String PREFIX = "sandboxes/";

    @Option(
            names = "--sandbox",
            paramLabel = "NAME",
            description = "Sandbox, with or without sandboxes/ (default: the server's own host).")
    private String sandbox = "";

    /** The resource name; empty for the server's host. */
    String get() {
        return sandbox.isEmpty() ? "" : name(sandbox);
    }

    /** A sandbox's resource name from what a person typed. */
    static String name(String typed) {
        return typed.startsWith(PREFIX) ? typed : PREFIX + typed;
    }
}
