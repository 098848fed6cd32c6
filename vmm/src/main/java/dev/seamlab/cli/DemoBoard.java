// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import dev.seamlab.v1.Progress;
import dev.seamlab.v1.TrustDomain;
import java.io.Console;
import java.io.PrintWriter;

/**
 * Progress of several trust domains: redrawn in place on a terminal; elsewhere one line for each
 * that is done.
 */
final class DemoBoard {
    private final PrintWriter out;
    private final boolean inPlace;
    private final String[] lines;

    DemoBoard(PrintWriter out, int rows) {
        this(out, rows, onTerminal());
    }

    DemoBoard(PrintWriter out, int rows, boolean inPlace) {
        this.out = out;
        this.inPlace = inPlace;
        this.lines = new String[rows];
        java.util.Arrays.fill(lines, "");
        if (inPlace) {
            out.print("\n".repeat(rows));
        }
    }

    /** Shows one trust domain as it is now. Called from several threads. */
    synchronized void show(int row, TrustDomain td, boolean done) {
        Progress progress = td.getProgress();
        lines[row] =
                String.format(
                        "  %-6s %-8s %,9d operations %,8d faults %,8d conversions  private %-9s"
                                + " dynamic PAMT %s",
                        MemoryStory.shortName(td.getName()),
                        td.hasFailure() ? "failed" : done ? "done" : "running",
                        progress.getOperations(),
                        progress.getPrivateFaults() + progress.getSharedFaults(),
                        progress.getConvertedPages(),
                        MemoryStory.pages(td.getMemory().getPrivatePages()),
                        Sizes.show(td.getMemory().getDynamicPamtBytes()));
        if (inPlace) {
            StringBuilder frame = new StringBuilder("\u001b[" + lines.length + "A");
            for (String line : lines) {
                frame.append("\r\u001b[2K").append(line).append('\n');
            }
            out.print(frame);
            out.flush();
        } else if (done) {
            out.println(lines[row]);
            out.flush();
        }
    }

    @SuppressWarnings("SystemConsoleNull") // JDK 25 went back to null where there is no terminal.
    private static boolean onTerminal() {
        Console console = System.console();
        String term = System.getenv("TERM");
        return console != null && console.isTerminal() && term != null && !term.equals("dumb");
    }
}
