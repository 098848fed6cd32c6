// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import java.io.Console;

/** What standard output leads to. */
final class Terminal {
    private Terminal() {}

    /** Whether somebody looks at it on a screen that can be written anew: no pipe, no file. */
    @SuppressWarnings("SystemConsoleNull") // JDK 25 went back to null where there is no terminal.
    static boolean isScreen() {
        Console console = System.console();
        String term = System.getenv("TERM");
        return console != null && console.isTerminal() && term != null && !term.equals("dumb");
    }
}
