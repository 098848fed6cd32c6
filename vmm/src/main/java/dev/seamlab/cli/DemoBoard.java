// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import dev.seamlab.v1.Progress;
import dev.seamlab.v1.TrustDomain;
import java.io.PrintWriter;
import java.util.Arrays;
import java.util.Locale;

/**
 * Progress of several trust domains: redrawn in place on a terminal; elsewhere one line for each
 * that is done.
 */
final class DemoBoard {
    /** Narrower than 80 columns: a line that wraps cannot be redrawn in place. */
    private static final String ROW = "  %-6s %-7s %11s %9s %10s %10s %13s";

    private final PrintWriter out;
    private final boolean inPlace;
    private final String[] lines;

    DemoBoard(PrintWriter out, int rows) {
        this(out, rows, Terminal.isScreen());
    }

    DemoBoard(PrintWriter out, int rows, boolean inPlace) {
        this.out = out;
        this.inPlace = inPlace;
        this.lines = new String[rows];
        Arrays.fill(lines, "");
        out.printf(
                ROW + "%n",
                "",
                "guest",
                "operations",
                "faults",
                "converted",
                "private",
                "dynamic PAMT");
        if (inPlace) {
            out.print("\n".repeat(rows));
        }
    }

    /** Shows one trust domain as it is now. Called from several threads. */
    synchronized void show(int row, TrustDomain td, boolean done) {
        Progress progress = td.getProgress();
        lines[row] =
                String.format(
                        ROW,
                        MemoryStory.shortName(td.getName()),
                        td.hasFailure() ? "failed" : done ? "done" : "running",
                        number(progress.getOperations()),
                        number(progress.getPrivateFaults() + progress.getSharedFaults()),
                        number(progress.getConvertedPages()),
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

    private static String number(long value) {
        return String.format(Locale.ROOT, "%,d", value);
    }
}
