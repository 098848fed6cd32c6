// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import dev.seamlab.v1.MemoryReport;
import dev.seamlab.v1.PamtCauses;
import dev.seamlab.v1.PamtUsage;
import dev.seamlab.v1.TrustDomainMemory;
import dev.seamlab.v1.TrustDomainMemoryEntry;
import java.io.PrintWriter;
import java.util.Arrays;
import java.util.Locale;

/** The memory report for people: static PAMT beside Dynamic PAMT. */
final class MemoryStory {
    private MemoryStory() {}

    /**
     * The host.
     *
     * @param dynamic whether its PAMT is dynamic
     */
    static void print(PrintWriter out, MemoryReport report, boolean dynamic) {
        PamtUsage pamt = report.getPamt();
        long reserved = pamt.getLevel1GBytes() + pamt.getLevel2MBytes() + pamt.getLevel4KBytes();
        long now = reserved + pamt.getDynamicBytes() + pamt.getRefcountBytes();
        Table table = new Table(Table.Align.LEFT, Table.Align.RIGHT, Table.Align.RIGHT);
        table.row("PAMT of the host", "static", dynamic ? "dynamic, now" : "now");
        // The upper levels are the same in both worlds; what differs is the 4K level.
        long static4k =
                pamt.getStaticEquivalentBytes() - pamt.getLevel2MBytes() - pamt.getLevel1GBytes();
        String level1g = Sizes.show(pamt.getLevel1GBytes());
        String level2m = Sizes.show(pamt.getLevel2MBytes());
        table.row("  1G level", level1g, level1g)
                .row("  2M level", level2m, level2m)
                .row(
                        "  4K level, or page bitmap",
                        Sizes.show(static4k),
                        Sizes.show(pamt.getLevel4KBytes()));
        table.row(
                        "  page pairs, control",
                        "-",
                        Sizes.show(pamt.getDynamicByCause().getControlBytes()))
                .row(
                        "  page pairs, S-EPT",
                        "-",
                        Sizes.show(pamt.getDynamicByCause().getSeptBytes()))
                .row(
                        "  page pairs, guest",
                        "-",
                        Sizes.show(pamt.getDynamicByCause().getGuestBytes()))
                .row("  refcounts", "-", Sizes.show(pamt.getRefcountBytes()))
                .row(
                        "  together",
                        Sizes.show(pamt.getStaticEquivalentBytes()),
                        Sizes.show(now) + share(now, pamt.getStaticEquivalentBytes()));
        table.print(out);
    }

    /** The trust domains, one in a line. */
    static void printTrustDomains(PrintWriter out, MemoryReport report) {
        Table.Align[] columns = new Table.Align[10];
        Arrays.fill(columns, Table.Align.RIGHT);
        columns[0] = Table.Align.LEFT;
        Table table = new Table(columns);
        table.row(
                "trust domain",
                "private",
                "shared",
                "S-EPT",
                "control",
                "pairs: control",
                "S-EPT",
                "guest",
                "together",
                "static PAMT");
        for (TrustDomainMemoryEntry entry : report.getTrustDomainsList()) {
            TrustDomainMemory memory = entry.getMemory();
            PamtCauses pairs = memory.getDynamicByCause();
            table.row(
                    shortName(entry.getName()),
                    pages(memory.getPrivatePages()),
                    pages(memory.getSharedPages()),
                    pages(memory.getSeptPages()),
                    pages(memory.getControlPages()),
                    Sizes.show(pairs.getControlBytes()),
                    Sizes.show(pairs.getSeptBytes()),
                    Sizes.show(pairs.getGuestBytes()),
                    Sizes.show(memory.getDynamicPamtBytes()),
                    Sizes.show(memory.getStaticPamtEquivalentBytes()));
        }
        table.print(out);
    }

    static String shortName(String name) {
        return name.substring(name.indexOf('/') + 1);
    }

    static String pages(long pages) {
        return Sizes.show(pages << 12);
    }

    private static String share(long now, long all) {
        return all == 0 ? "" : String.format(Locale.ROOT, " (%.1f %%)", 100.0 * now / all);
    }
}
