// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

import dev.seamlab.host.mem.PageUse;
import dev.seamlab.machine.Hpa;
import java.util.List;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * PAMT of a host, as host and module know it. Safe for any thread. Where the module has to be asked
 * the world is stopped meanwhile, because its answers share locks that a removal wants alone.
 */
public interface PamtView {
    /**
     * Page pairs that are installed now, counted once: all parts add up.
     *
     * @param total by cause
     * @param ranges 2 MiB ranges that have a pair
     * @param owners by the trust domain that needed them first, by id; pairs whose first user is
     *     gone stand under the empty id
     * @param nodes by NUMA node, ascending
     * @param installed pairs installed since the host started
     * @param removed pairs taken back since the host started
     */
    record Figures(
            PamtShare total,
            long ranges,
            List<Owner> owners,
            List<Node> nodes,
            long installed,
            long removed) {
        public Figures {
            owners = List.copyOf(owners);
            nodes = List.copyOf(nodes);
        }
    }

    /** Pairs of one trust domain. */
    record Owner(String id, PamtShare share) {}

    /**
     * PAMT of one NUMA node.
     *
     * @param reservedBytes reserved there at bring-up, all levels
     * @param backedRanges 2 MiB ranges there that have a pair
     */
    record Node(int node, long reservedBytes, long backedRanges) {}

    /**
     * A 2 MiB range of host memory.
     *
     * @param baseHpa first address
     * @param refcount 4K pages that the host counts; 0 where PAMT is static
     * @param pair addresses of the two pages in the order in which they were given; empty where the
     *     range has none
     * @param cause use that made the host install the pair; null where there is none
     * @param owner id of the trust domain that needed the pair first; empty where none, or it is
     *     gone
     * @param node NUMA node, or -1 where no TDX memory is
     */
    record Region(
            @Hpa long baseHpa,
            int refcount,
            List<Long> pair,
            @Nullable PageUse cause,
            String owner,
            int node) {
        public Region {
            pair = List.copyOf(pair);
        }

        /** Whether the module has a pair for it. */
        public boolean isBacked() {
            return !pair.isEmpty();
        }
    }

    /**
     * The two modes for the pages in use now (facts: Linux sheet section 6.1).
     *
     * @param staticBytes what static PAMT costs
     * @param dynamicBytes what dynamic PAMT costs: bitmap, upper levels, refcounts and pairs
     * @param rangesInUse 2 MiB ranges that hold a page for which dynamic PAMT needs a pair
     * @param rangesTotal 2 MiB ranges of all TDMRs
     * @param breakEvenRanges ranges in use from which on dynamic PAMT costs more
     */
    record Comparison(
            boolean dynamic,
            long staticBytes,
            long dynamicBytes,
            long rangesInUse,
            long rangesTotal,
            long breakEvenRanges) {}

    /** What pairs cost now, from all sides. */
    Figures figures();

    /** The range of an address, backed or not. */
    Region region(@Hpa long hpa);

    /**
     * Backed ranges at or above an address, ascending; at most so many that pass.
     *
     * @param wanted asked of each
     */
    List<Region> regions(@Hpa long from, int most, Predicate<Region> wanted);

    /** What the other mode would cost now. */
    Comparison compare();
}
