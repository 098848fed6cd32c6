// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.mem;

import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Machine;
import dev.seamlab.machine.Pfn;
import dev.seamlab.machine.PhysicalMemory;
import dev.seamlab.machine.profile.AddressRange;
import dev.seamlab.machine.profile.Fragmentation;
import dev.seamlab.machine.profile.NumaNode;
import dev.seamlab.machine.sched.LockRank;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/**
 * Hands out the host's RAM as a Linux host does where it matters for placement: from the wanted
 * NUMA node first, then from the nearest; above 4 GiB first; single pages of a thread that has
 * claimed a CPU from that CPU's list, which takes no lock; blocks from buddy free lists; large
 * contiguous ranges by a search over the zone. Its books of what is used for what are exact
 * whenever nobody allocates.
 *
 * <p>The first MiB is not managed, as the kernel keeps it for real-mode code; so all pages of this
 * allocator are TDX memory, which TDX on Linux relies on (facts: Linux sheet section 2.3).
 *
 * <p>Freeing a page that is free, or that has another use than the caller says, is a bug of ours
 * and raises. What a freed page held is undefined; the model forgets it, which gives the emulator
 * its storage back.
 *
 * <p>Not modelled: watermarks and reserves, reclaim, moving of pages.
 */
public final class PageAllocator {
    /** Answer where there is no page. */
    public static final @Pfn long NONE = -1;

    /** Memory below this address is not handed out. */
    public static final long FIRST_BYTE = 1L << 20;

    /** Where the zone Normal begins. */
    private static final long NORMAL_FIRST_BYTE = 4 * Addresses.GIB;

    private static final int MAX_CPUS = 4096;

    private final PhysicalMemory memory;
    private final PageDirectory directory;
    private final List<Zone> zones = new ArrayList<>();
    // By node: its own zones, and those of all nodes by distance.
    private final Zone[][] local;
    private final Zone[][] lists;
    private final int cpusOfNode;
    private final long totalPages;
    private final AtomicReferenceArray<@Nullable CpuPages> cpuPages =
            new AtomicReferenceArray<>(MAX_CPUS);
    private final AtomicInteger cpusSeen = new AtomicInteger();
    private final Set<Tally> shares = ConcurrentHashMap.newKeySet();
    private final Tally retired = new Tally(); // guarded by itself
    private volatile AllocationGate gate = AllocationGate.OPEN;

    /** Receives one page. */
    @FunctionalInterface
    public interface PageVisitor {
        /**
         * Looks at a page.
         *
         * @param use what it is used for; null where it is free
         */
        void page(@Pfn long pfn, @Nullable PageUse use);
    }

    /**
     * An allocator for a few CPUs.
     *
     * @param memory contents of the RAM
     * @param ramOfNodes RAM of each node, page aligned and disjoint
     */
    public PageAllocator(PhysicalMemory memory, List<List<AddressRange>> ramOfNodes) {
        this(memory, ramOfNodes.stream().map(NumaNode::new).toList(), Fragmentation.NONE, 1);
    }

    /** The allocator of a machine, with its fragmentation. */
    public PageAllocator(Machine machine) {
        this(
                machine.memory(),
                machine.profile().nodes(),
                machine.profile().fragmentation(),
                Math.ceilDiv(machine.profile().cpus(), machine.profile().nodes().size()));
    }

    private PageAllocator(
            PhysicalMemory memory,
            List<NumaNode> nodes,
            Fragmentation fragmentation,
            int cpusOfNode) {
        this.memory = memory;
        this.cpusOfNode = cpusOfNode;
        long end = 0;
        for (NumaNode node : nodes) {
            for (AddressRange range : node.memory()) {
                end = Math.max(end, range.end());
            }
        }
        this.directory = new PageDirectory(Addresses.pfn(end));
        Scatter scatter = new Scatter(fragmentation);
        this.local = new Zone[nodes.size()][];
        for (int n = 0; n < local.length; n++) {
            local[n] = zonesOf(n, nodes.get(n).memory(), scatter);
        }
        this.lists = new Zone[nodes.size()][];
        for (int n = 0; n < lists.length; n++) {
            lists[n] = zoneList(n, nodes);
        }
        this.totalPages = zones.stream().mapToLong(Zone::presentPages).sum();
    }

    private Zone[] zonesOf(int node, List<AddressRange> memory, Scatter scatter) {
        Zone normal = new Zone(node, scatter);
        Zone low = new Zone(node, scatter);
        memory.stream()
                .sorted(Comparator.comparingLong(AddressRange::start))
                .forEach(range -> {
                    add(low, range, FIRST_BYTE, NORMAL_FIRST_BYTE);
                    add(normal, range, NORMAL_FIRST_BYTE, Long.MAX_VALUE);
                });
        List<Zone> own = new ArrayList<>();
        for (Zone zone : List.of(normal, low)) {
            zone.seal();
            if (zone.presentPages() > 0) {
                own.add(zone);
            }
        }
        zones.addAll(own);
        return own.toArray(Zone[]::new);
    }

    private void add(Zone zone, AddressRange range, long from, long to) {
        long start = Math.max(range.start(), from);
        long end = Math.min(range.end(), to);
        if (start < end) {
            zone.add(new AddressRange(start, end), directory);
        }
    }

    /** By distance; among equals the nodes after this one come before those that precede it. */
    private Zone[] zoneList(int node, List<NumaNode> nodes) {
        List<Integer> order = new ArrayList<>();
        for (int i = 0; i < nodes.size(); i++) {
            order.add((node + i) % nodes.size());
        }
        order.sort(Comparator.comparingInt(other -> nodes.get(node).distanceTo(node, other)));
        List<Zone> list = new ArrayList<>();
        order.forEach(other -> list.addAll(List.of(local[other])));
        return list.toArray(Zone[]::new);
    }

    /** From now on this gate is asked before each allocation. */
    public void setGate(AllocationGate gate) {
        this.gate = gate;
    }

    /** Number of NUMA nodes. */
    public int nodes() {
        return local.length;
    }

    /**
     * Allocates a page from the list of a CPU, where the caller may wait for reclaim: no spinning
     * lock held. The page's contents are undefined. Takes no lock unless the list is empty.
     *
     * @param cpu claimed by this thread
     * @return the page, or {@link #NONE}
     */
    public @Pfn long allocate(HostCpu cpu, PageUse use) {
        assert LockRank.Held.mayReclaim();
        return allocateAtomic(cpu, use);
    }

    /** Allocates a page from the list of a CPU without sleeping; not under the PAMT lock. */
    public @Pfn long allocateAtomic(HostCpu cpu, PageUse use) {
        assert isOutsidePamtLock();
        if (!gate.admits(cpu, use)) {
            return NONE;
        }
        long pfn = of(cpu).take(use);
        return pfn != NONE ? pfn : takeBlock(cpu.node(), 0, use);
    }

    /**
     * Allocates a page where the caller may wait for reclaim and has no CPU.
     *
     * @param node where to look first
     * @return the page, or {@link #NONE}
     */
    public @Pfn long allocate(int node, PageUse use) {
        assert LockRank.Held.mayReclaim();
        return allocateAtomic(node, use);
    }

    /** Allocates a page without sleeping; allowed under the MMU lock, not under the PAMT lock. */
    public @Pfn long allocateAtomic(int node, PageUse use) {
        assert isOutsidePamtLock();
        return gate.admits(use, 1) ? takeBlock(node, 0, use) : NONE;
    }

    /**
     * Allocates contiguous pages of one node. Up to 1024 pages, where they are a power of two that
     * is not below the alignment, are one block of the buddy lists; anything else is looked for.
     *
     * @param node where to look first
     * @param pages how many
     * @param alignment in pages, a power of two
     * @return the first page, or {@link #NONE}
     */
    public @Pfn long allocateRange(int node, long pages, long alignment, PageUse use) {
        assert LockRank.Held.mayReclaim();
        assert Long.bitCount(alignment) == 1 : "alignment " + alignment;
        if (pages <= 0) {
            throw new IllegalArgumentException("a range of " + pages + " pages");
        }
        if (!gate.admits(use, pages)) {
            return NONE;
        }
        if (Long.bitCount(pages) == 1 && alignment <= pages && pages <= BuddyMap.GROUP_PAGES) {
            return takeBlock(node, Long.numberOfTrailingZeros(pages), use);
        }
        long first = takeRun(node, pages, alignment, use);
        if (first == NONE && drain()) {
            first = takeRun(node, pages, alignment, use);
        }
        return first;
    }

    private @Pfn long takeBlock(int node, int order, PageUse use) {
        do {
            for (Zone zone : lists[node]) {
                long first = zone.takeBlock(order, use);
                if (first != NONE) {
                    return first;
                }
            }
        } while (drain());
        return NONE;
    }

    private @Pfn long takeRun(int node, long pages, long alignment, PageUse use) {
        for (Zone zone : lists[node]) {
            long first = zone.takeRun(pages, alignment, use);
            if (first != NONE) {
                return first;
            }
        }
        return NONE;
    }

    /** Frees a page. Never sleeps. Raises if the page does not have this use. */
    public void free(@Pfn long pfn, PageUse use) {
        assert isOutsidePamtLock();
        GibPages gib = require(pfn);
        forget(pfn);
        gib.zone().giveBack(gib, Zone.offset(pfn), use);
    }

    /** Frees a page into the list of a CPU that this thread has claimed. Never sleeps. */
    public void free(HostCpu cpu, @Pfn long pfn, PageUse use) {
        assert isOutsidePamtLock();
        CpuPages list = of(cpu);
        GibPages gib = list.gibOf(pfn);
        forget(pfn);
        if (gib.zone().node() == cpu.node()) {
            list.giveBack(gib, pfn, use);
        } else {
            gib.zone().giveBack(gib, Zone.offset(pfn), use);
        }
    }

    /** Frees a range that was allocated as one. */
    public void freeRange(@Pfn long first, long pages, PageUse use) {
        assert isOutsidePamtLock();
        GibPages gib = require(first);
        // A PAMT chunk may have millions of pages, and mostly nobody wrote any page at all.
        if (memory.writtenPages() != 0) {
            for (long pfn = first; pfn < first + pages; pfn++) {
                forget(pfn);
            }
        }
        gib.zone().giveBackRun(first, pages, use);
    }

    /** Call before the page is free: afterwards its next owner may have written it already. */
    private void forget(@Pfn long pfn) {
        if (memory.isWritten(pfn)) {
            memory.zeroPage(Addresses.hpa(pfn));
        }
    }

    /** Changes what a used page is used for. Raises if it does not have the old use. */
    public void retag(@Pfn long pfn, PageUse from, PageUse to) {
        GibPages gib = require(pfn);
        gib.zone().retag(gib, Zone.offset(pfn), from, to);
    }

    /**
     * A share of the books for a pool, whose owner changes what pages are used for without a lock.
     */
    public PoolPages newPool() {
        Tally share = new Tally();
        shares.add(share);
        return new PoolPages(this, share, new GibCursor(directory));
    }

    /** Books of a pool that holds no pages any more. */
    void retire(Tally share) {
        shares.remove(share);
        synchronized (retired) {
            retired.merge(share);
        }
    }

    /** As {@link #retag}, by a page's only owner, who knows its GiB. */
    void retag(Tally share, GibPages gib, @Pfn long pfn, PageUse from, PageUse to) {
        BuddyMap map = gib.map();
        if (map == null || map.uses[Zone.offset(pfn)] != BuddyMap.tag(from)) {
            gib.zone().retag(gib, Zone.offset(pfn), from, to);
            return;
        }
        map.uses[Zone.offset(pfn)] = BuddyMap.tag(to);
        share.add(from, -1);
        share.add(to, 1);
    }

    /** What a page of RAM is used for, or null where it is free. */
    public @Nullable PageUse useOf(@Pfn long pfn) {
        return require(pfn).useOf(Zone.offset(pfn));
    }

    /** Whether this allocator manages a page. */
    public boolean manages(@Pfn long pfn) {
        return directory.find(pfn) != null;
    }

    /** Pages that this allocator manages, free or not. */
    public long totalPages() {
        return totalPages;
    }

    /** Free pages on all nodes, those in CPUs' lists included. */
    public long freePages() {
        long sum = 0;
        for (int node = 0; node < local.length; node++) {
            sum += freePages(node);
        }
        return sum;
    }

    /** Free pages of one node. */
    public long freePages(int node) {
        long sum = 0;
        for (Zone zone : local[node]) {
            sum += zone.freePages();
        }
        for (CpuPages list : cpuLists()) {
            sum += list.cpu().node() == node ? list.count() : 0;
        }
        return sum;
    }

    /** Number of free blocks by order, 0 to 10, as /proc/buddyinfo shows them for all zones. */
    public long[] freeBlocks() {
        long[] byOrder = new long[BuddyMap.MAX_ORDER + 1];
        zones.forEach(zone -> zone.addFreeBlocks(byOrder));
        return byOrder;
    }

    /** Pages of one use on all nodes. */
    public long usedPages(PageUse use) {
        return counted()[use.ordinal()];
    }

    /** Pages by use on all nodes; every use has an entry. */
    public Map<PageUse, Long> usedPages() {
        long[] sums = counted();
        Map<PageUse, Long> map = new EnumMap<>(PageUse.class);
        for (PageUse use : PageUse.values()) {
            map.put(use, sums[use.ordinal()]);
        }
        return map;
    }

    private long[] counted() {
        long[] sums = new long[PageUse.COUNT];
        zones.forEach(zone -> zone.addCounted(sums));
        cpuLists().forEach(list -> list.tally().addTo(sums));
        shares.forEach(share -> share.addTo(sums));
        synchronized (retired) {
            retired.addTo(sums);
        }
        return sums;
    }

    /**
     * Shows each page, ascending within a zone, apart from GiBs whose pages have not been told
     * apart: those never held anything smaller than a GiB. Only for a host at rest.
     */
    public void forEachPage(PageVisitor visitor) {
        zones.forEach(zone -> zone.forEachPage(visitor));
    }

    /**
     * Recomputes the books from the pages. Only for a host at rest.
     *
     * @param finding receives the page where something is found
     */
    public void check(BiConsumer<Long, String> finding) {
        long[] truth = new long[PageUse.COUNT];
        long listed = 0;
        for (Zone zone : zones) {
            listed += zone.check(truth, finding);
        }
        long[] counted = counted();
        for (PageUse use : PageUse.values()) {
            if (truth[use.ordinal()] != counted[use.ordinal()]) {
                finding.accept(
                        0L,
                        counted[use.ordinal()]
                                + " pages are counted as "
                                + use
                                + ", there are "
                                + truth[use.ordinal()]);
            }
        }
        for (CpuPages list : cpuLists()) {
            listed -= list.count();
            checkList(list, finding);
        }
        if (listed != 0) {
            finding.accept(0L, listed + " pages are in the list of no CPU, or of several");
        }
    }

    private void checkList(CpuPages list, BiConsumer<Long, String> finding) {
        for (int i = 0; i < list.count(); i++) {
            long pfn = list.page(i);
            BuddyMap map = require(pfn).map();
            if (map == null || map.uses[Zone.offset(pfn)] != BuddyMap.LISTED) {
                finding.accept(pfn, "the page is in the list of " + list.cpu() + " and elsewhere");
            }
        }
    }

    /** Empties the list of a CPU that goes offline; claimed by this thread. */
    public void drain(HostCpu cpu) {
        of(cpu).drain();
    }

    /**
     * Takes the pages out of the lists of all CPUs that are idle, before it gives up. The kernel
     * makes the busy ones do so, too.
     *
     * @return whether there were any
     */
    private boolean drain() {
        int drained = 0;
        for (CpuPages list : cpuLists()) {
            int held = list.count();
            if (held > 0 && list.cpu().ifIdle(list::drain)) {
                drained += held;
            }
        }
        return drained > 0;
    }

    private CpuPages of(HostCpu cpu) {
        assert LockRank.Held.isHeld(LockRank.CPU) : cpu + " is not this thread's";
        CpuPages list = cpuPages.getPlain(cpu.index());
        return list != null ? list : newList(cpu);
    }

    private CpuPages newList(HostCpu cpu) {
        Zone[] own = local[cpu.node()];
        long present = 0;
        for (Zone zone : own) {
            present += zone.presentPages();
        }
        int high = CpuPages.highFor(present, cpusOfNode);
        CpuPages list = new CpuPages(cpu, directory, own, CpuPages.batchFor(present), high);
        cpusSeen.accumulateAndGet(cpu.index() + 1, Math::max);
        cpuPages.setRelease(cpu.index(), list);
        return list;
    }

    private List<CpuPages> cpuLists() {
        List<CpuPages> all = new ArrayList<>();
        for (int i = 0; i < cpusSeen.get(); i++) {
            CpuPages list = cpuPages.getAcquire(i);
            if (list != null) {
                all.add(list);
            }
        }
        return all;
    }

    private GibPages require(@Pfn long pfn) {
        GibPages gib = directory.find(pfn);
        if (gib == null) {
            throw new IllegalStateException(
                    Addresses.show(Addresses.hpa(pfn)) + " is not managed by the page allocator");
        }
        return gib;
    }

    /** A CPU's list could serve the request without a lock, so that the order would not tell. */
    private static boolean isOutsidePamtLock() {
        if (LockRank.Held.isHeld(LockRank.PAMT)) {
            throw new AssertionError("lock order: PAGE_ALLOCATOR taken after PAMT");
        }
        return true;
    }
}
