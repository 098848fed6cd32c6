// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;

/** Text in columns: words to the left, numbers to the right, two blanks between. */
final class Table {
    /** Where the text of a column stands. */
    enum Align {
        LEFT,
        RIGHT
    }

    private final List<Align> aligns;
    private final List<List<String>> rows = new ArrayList<>();

    Table(Align... aligns) {
        this.aligns = List.of(aligns);
    }

    /** Adds a row; missing cells are empty. */
    Table row(String... cells) {
        if (cells.length > aligns.size()) {
            throw new IllegalArgumentException("more cells than columns");
        }
        rows.add(List.of(cells));
        return this;
    }

    /** An empty line. */
    Table gap() {
        rows.add(List.of());
        return this;
    }

    void print(PrintWriter out) {
        print(out, "");
    }

    void print(PrintWriter out, String indent) {
        int[] width = new int[aligns.size()];
        for (List<String> row : rows) {
            for (int i = 0; i < row.size(); i++) {
                width[i] = Math.max(width[i], row.get(i).length());
            }
        }
        for (List<String> row : rows) {
            StringBuilder line = new StringBuilder(indent);
            for (int i = 0; i < row.size(); i++) {
                String pad = " ".repeat(width[i] - row.get(i).length());
                line.append(i == 0 ? "" : "  ")
                        .append(aligns.get(i) == Align.LEFT ? row.get(i) + pad : pad + row.get(i));
            }
            out.println(line.toString().stripTrailing());
        }
        out.flush();
    }
}
