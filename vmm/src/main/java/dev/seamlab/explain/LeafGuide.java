// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.explain;

import dev.seamlab.machine.Registers;
import dev.seamlab.seam.abi.Leaf;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/** What each leaf is for, and where it names its TD. */
public final class LeafGuide {
    /** For a leaf whose registers do not tell the TD. */
    public static final int NO_TDR = -1;

    private final String[] purposes = new String[Leaf.values().length];
    private final int[] tdrs = new int[Leaf.values().length];

    private LeafGuide() {
        Map<?, ?> rows = Knowledge.read("leaves.yaml");
        for (Leaf leaf : Leaf.values()) {
            Map<?, ?> row = Knowledge.map(rows.get(leaf.name()), "leaf " + leaf);
            purposes[leaf.ordinal()] = Knowledge.text(row, "purpose");
            tdrs[leaf.ordinal()] = row.containsKey("tdr") ? register(row) : NO_TDR;
        }
    }

    private static int register(Map<?, ?> row) {
        return switch (Knowledge.text(row, "tdr")) {
            case "RCX" -> Registers.RCX;
            case "RDX" -> Registers.RDX;
            default -> throw new IllegalStateException("no leaf has its TDR there: " + row);
        };
    }

    /** Read when somebody asks, once. */
    private static final class Instance {
        static final LeafGuide GUIDE = new LeafGuide();
    }

    /** The guide. */
    public static LeafGuide get() {
        return Instance.GUIDE;
    }

    /** What the leaf is for, in one line. */
    public String purpose(Leaf leaf) {
        return purposes[leaf.ordinal()];
    }

    /** Which register holds the TDR on the way in, or {@link #NO_TDR}. */
    public int tdrRegister(Leaf leaf) {
        return tdrs[leaf.ordinal()];
    }

    /** The leaf with a name: {@code TDH.SYS.RD}, {@code SYS.RD} or {@code SYS_RD}, any case. */
    public static Optional<Leaf> named(String name) {
        String upper = name.strip().toUpperCase(Locale.ROOT).replace('.', '_');
        String bare = upper.startsWith("TDH_") ? upper.substring("TDH_".length()) : upper;
        for (Leaf leaf : Leaf.values()) {
            if (leaf.name().equals(bare)) {
                return Optional.of(leaf);
            }
        }
        return Optional.empty();
    }
}
