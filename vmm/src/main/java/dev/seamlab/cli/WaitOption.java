// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import picocli.CommandLine.Option;

/** Whether a command that starts an operation stays until it is done. */
final class WaitOption {
    @Option(
            names = "--wait",
            negatable = true,
            defaultValue = "true",
            fallbackValue = "true",
            description =
                    "Wait until it is done and show how far it is (default), or print the operation"
                            + " and go.")
    private boolean wait;

    /** Whether to wait. */
    boolean isWanted() {
        return wait;
    }
}
