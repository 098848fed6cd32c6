// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import dev.seamlab.v1.ListPamtRegionsRequest;
import dev.seamlab.v1.ListPamtRegionsResponse;
import dev.seamlab.v1.PamtRegion;
import java.io.PrintWriter;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code seamlab pamt map}. */
@Command(
        name = "map",
        description = {
            "Draws the 2M ranges that have a page pair, GiB by GiB: a character for each eight of the"
                    + " 512 ranges.",
            "It says for how many of the 4096 pages in them TDX holds the pair:"
                    + " . none, 1 to 9 in tenths, # all."
        },
        footer = {"", "Example:", "  seamlab pamt map --filter trust_domain=trustDomains/web"})
final class PamtMapCommand implements Callable<Integer> {
    private static final int GIB_SHIFT = 30;
    private static final int RANGE_SHIFT = 21;
    private static final int CELLS = 64;
    private static final int RANGES_PER_CELL = 8;
    private static final int PAGES_PER_CELL = RANGES_PER_CELL * 512;
    private static final int PAGE = 10_000;

    @Mixin private ClientOptions options;

    @Option(
            names = "--filter",
            paramLabel = "FILTER",
            description =
                    "Terms joined by AND: trust_domain=, cause=CONTROL|SEPT|GUEST, node=, refcount<N.")
    private String filter = "";

    @Override
    public Integer call() {
        List<PamtRegion> all;
        try (Client client = options.connect()) {
            all =
                    Pages.all(
                            token ->
                                    client.pamt()
                                            .listPamtRegions(
                                                    ListPamtRegionsRequest.newBuilder()
                                                            .setPageSize(PAGE)
                                                            .setFilter(filter)
                                                            .setPageToken(token)
                                                            .build()),
                            ListPamtRegionsResponse::getRegionsList,
                            ListPamtRegionsResponse::getNextPageToken);
        }
        if (options.forPrograms()) {
            options.print(ListPamtRegionsResponse.newBuilder().addAllRegions(all));
        } else {
            draw(options.out(), all);
        }
        return ExitCodes.OK;
    }

    static void draw(PrintWriter out, List<PamtRegion> regions) {
        Map<Long, int[]> gibs = new TreeMap<>();
        Map<Long, Integer> backed = new TreeMap<>();
        for (PamtRegion region : regions) {
            long gib = region.getBaseHpa() >>> GIB_SHIFT;
            int range = (int) (region.getBaseHpa() >>> RANGE_SHIFT) & 511;
            int[] cells =
                    gibs.computeIfAbsent(
                            gib,
                            g -> {
                                int[] none = new int[CELLS];
                                Arrays.fill(none, -1);
                                return none;
                            });
            int cell = range / RANGES_PER_CELL;
            cells[cell] = Math.max(0, cells[cell]) + region.getRefcount();
            backed.merge(gib, 1, Integer::sum);
        }
        Table table = new Table(Table.Align.RIGHT, Table.Align.LEFT, Table.Align.RIGHT);
        table.row("GIB", "", "RANGES");
        gibs.forEach((gib, cells) -> {
            StringBuilder line = new StringBuilder();
            for (int pages : cells) {
                line.append(character(pages));
            }
            table.row(
                    Long.toString(gib),
                    line.toString(),
                    Integer.toString(backed.getOrDefault(gib, 0)));
        });
        table.print(out);
    }

    /** How full eight ranges are; a pair that holds few pages is seen all the same. */
    private static char character(int pages) {
        if (pages < 0) {
            return '.';
        }
        if (pages >= PAGES_PER_CELL) {
            return '#';
        }
        return (char) ('1' + Math.min(8, pages * 9 / PAGES_PER_CELL));
    }
}
