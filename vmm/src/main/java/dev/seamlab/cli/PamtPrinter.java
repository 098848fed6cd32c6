// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import dev.seamlab.v1.NodePamt;
import dev.seamlab.v1.PamtCauses;
import dev.seamlab.v1.PamtComparison;
import dev.seamlab.v1.PamtRegion;
import dev.seamlab.v1.PamtStats;
import dev.seamlab.v1.PamtUsage;
import dev.seamlab.v1.TrustDomainPamt;
import java.io.PrintWriter;
import java.util.Locale;
import java.util.stream.Collectors;

/** PAMT for people. */
final class PamtPrinter {
    private static final Table.Align LEFT = Table.Align.LEFT;
    private static final Table.Align RIGHT = Table.Align.RIGHT;
    private static final String CAUSE_PREFIX = "PAMT_CAUSE_";

    private PamtPrinter() {}

    static void print(PrintWriter out, PamtStats stats) {
        PamtUsage usage = stats.getUsage();
        new Table(LEFT, RIGHT)
                .row("reserved, 1G level", Sizes.show(usage.getLevel1GBytes()))
                .row("reserved, 2M level", Sizes.show(usage.getLevel2MBytes()))
                .row("reserved, 4K level", Sizes.show(usage.getLevel4KBytes()))
                .row("page pairs", Sizes.show(usage.getDynamicBytes()))
                .row("refcounts", Sizes.show(usage.getRefcountBytes()))
                .row("static PAMT would be", Sizes.show(usage.getStaticEquivalentBytes()))
                .row("pairs installed so far", Long.toString(stats.getInstalledTotal()))
                .row("pairs taken back so far", Long.toString(stats.getRemovedTotal()))
                .print(out);
        out.println();
        Table owners = new Table(LEFT, RIGHT, RIGHT, RIGHT, RIGHT);
        owners.row("FIRST USER", "PAIRS", "CONTROL", "S-EPT", "GUEST");
        for (TrustDomainPamt td : stats.getTrustDomainsList()) {
            String name = td.getName().isEmpty() ? "(gone)" : MemoryStory.shortName(td.getName());
            owners.row(row(name, td.getDynamicBytes(), td.getDynamicByCause()));
        }
        owners.row(row("all", usage.getDynamicBytes(), usage.getDynamicByCause()));
        owners.print(out);
        out.println();
        Table nodes = new Table(LEFT, RIGHT, RIGHT);
        nodes.row("NODE", "RESERVED", "BACKED RANGES");
        for (NodePamt node : stats.getNodesList()) {
            nodes.row(
                    Integer.toString(node.getNode()),
                    Sizes.show(node.getReservedBytes()),
                    Long.toString(node.getBackedRanges()));
        }
        nodes.print(out);
    }

    private static String[] row(String name, long bytes, PamtCauses causes) {
        return new String[] {
            name,
            Sizes.show(bytes),
            Sizes.show(causes.getControlBytes()),
            Sizes.show(causes.getSeptBytes()),
            Sizes.show(causes.getGuestBytes())
        };
    }

    static void print(PrintWriter out, PamtRegion region) {
        Table table =
                new Table(LEFT, LEFT)
                        .row("range", Hex.word(region.getBaseHpa()))
                        .row("node", region.getNode() < 0 ? "none" : "" + region.getNode())
                        .row("backed", region.getBacked() ? "yes" : "no")
                        .row("refcount", Integer.toString(region.getRefcount()));
        if (region.getBacked()) {
            table.row(
                            "pair",
                            region.getPairHpasList().stream()
                                    .map(Hex::word)
                                    .collect(Collectors.joining(" ")))
                    .row("cause", cause(region))
                    .row(
                            "first user",
                            region.getTrustDomain().isEmpty()
                                    ? "(gone)"
                                    : MemoryStory.shortName(region.getTrustDomain()));
        }
        table.print(out);
    }

    private static String cause(PamtRegion region) {
        return region.getCause().name().substring(CAUSE_PREFIX.length()).toLowerCase(Locale.ROOT);
    }

    static void print(PrintWriter out, PamtComparison comparison) {
        long saved = comparison.getStaticBytes() - comparison.getDynamicBytes();
        new Table(LEFT, LEFT)
                .row("this host runs", comparison.getDynamic() ? "dynamic PAMT" : "static PAMT")
                .row("static PAMT", Sizes.show(comparison.getStaticBytes()))
                .row("dynamic PAMT", Sizes.show(comparison.getDynamicBytes()))
                .row("dynamic saves", Sizes.show(saved))
                .row(
                        "2M ranges in use",
                        comparison.getRangesInUse() + " of " + comparison.getRangesTotal())
                .row(
                        "dynamic costs more",
                        "from " + comparison.getBreakEvenRanges() + " ranges in use on")
                .print(out);
    }
}
