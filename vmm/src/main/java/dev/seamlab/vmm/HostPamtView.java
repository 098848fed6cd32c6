// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

import dev.seamlab.host.HostMemoryReport;
import dev.seamlab.host.HostPolicy;
import dev.seamlab.host.TdxHost;
import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.init.MemoryBlock;
import dev.seamlab.host.init.PamtLayout;
import dev.seamlab.host.init.PamtSizes;
import dev.seamlab.host.init.Tdmr;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.host.pamt.RangeRefcounts;
import dev.seamlab.kvm.KvmTdx;
import dev.seamlab.kvm.PairLedger;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Hpa;
import dev.seamlab.machine.Pfn;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.Status;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.function.IntFunction;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** PAMT of a host, from the ledger, the refcounts and the module. */
final class HostPamtView implements PamtView {
    private static final long PAIR_BYTES = 2 * Addresses.PAGE_SIZE;
    private static final long HAS_PAIR = 1L << 63;

    /** Looked at while the world is stopped, before it may go on for a moment. */
    private static final int AT_ONCE = 1024;

    private final TdxHost host;
    private final PairLedger ledger;
    private final IntFunction<String> ids;
    private final Supplier<List<KvmTdx>> vms;

    /**
     * @param ids the trust domain of an owner in the ledger; empty where it is gone
     * @param vms all TDs
     */
    HostPamtView(
            TdxHost host, PairLedger ledger, IntFunction<String> ids, Supplier<List<KvmTdx>> vms) {
        this.host = host;
        this.ledger = ledger;
        this.ids = ids;
        this.vms = vms;
    }

    @Override
    public Figures figures() {
        Map<String, PamtShare> owners = new TreeMap<>();
        long[] backed = new long[host.pages().nodes()];
        PamtShare[] total = {PamtShare.NONE};
        long[] ranges = new long[1];
        Map<Integer, String> names = new TreeMap<>();
        ledger.forEach((pfn, owner, cause) -> {
            PamtShare one = share(cause);
            total[0] = total[0].plus(one);
            ranges[0]++;
            owners.merge(names.computeIfAbsent(owner, ids::apply), one, PamtShare::plus);
            int node = node(Addresses.hpa(pfn));
            if (node >= 0) {
                backed[node]++;
            }
        });
        List<Node> nodes = new ArrayList<>();
        for (int node = 0; node < backed.length; node++) {
            nodes.add(new Node(node, reserved(node), backed[node]));
        }
        return new Figures(
                total[0],
                ranges[0],
                owners.entrySet().stream()
                        .map(entry -> new Owner(entry.getKey(), entry.getValue()))
                        .toList(),
                nodes,
                ledger.installed(),
                ledger.removed());
    }

    private static PamtShare share(PageUse cause) {
        return switch (cause) {
            case CONTROL -> new PamtShare(PAIR_BYTES, 0, 0);
            case SEPT -> new PamtShare(0, PAIR_BYTES, 0);
            case GUEST_PRIVATE -> new PamtShare(0, 0, PAIR_BYTES);
            default -> throw new AssertionError("a pair was installed for " + cause);
        };
    }

    private long reserved(int node) {
        return host.tdmrs().stream()
                .filter(tdmr -> node(tdmr.chunk().base()) == node)
                .mapToLong(tdmr -> tdmr.chunk().layout().total())
                .sum();
    }

    /** The node of the first TDX memory in the range of an address; -1 where none is. */
    private int node(@Hpa long hpa) {
        MemoryBlock block = blockOf(hpa);
        return block == null ? -1 : block.node();
    }

    private @Nullable MemoryBlock blockOf(@Hpa long hpa) {
        long base = Addresses.alignDown(hpa, Addresses.RANGE_SIZE);
        for (MemoryBlock block : host.memory().blocks()) {
            if (block.start() < base + Addresses.RANGE_SIZE && base < block.end()) {
                return block;
            }
        }
        return null;
    }

    @Override
    public Region region(@Hpa long hpa) {
        return stopped(cpu -> read(cpu, Addresses.alignDown(hpa, Addresses.RANGE_SIZE)));
    }

    @Override
    public List<Region> regions(@Hpa long from, int most, Predicate<Region> wanted) {
        List<Region> found = new ArrayList<>();
        long[] next = {Addresses.pfn(Addresses.alignDown(from, Addresses.RANGE_SIZE))};
        while (next[0] >= 0 && found.size() < most) {
            next[0] = stopped(cpu -> collect(cpu, next[0], most, wanted, found));
        }
        return found;
    }

    /** Collects a while; returns where to go on, or -1 at the end. */
    private @Pfn long collect(
            HostCpu cpu, @Pfn long from, int most, Predicate<Region> wanted, List<Region> found) {
        long pfn = ledger.nextBacked(from);
        for (int looked = 0; pfn >= 0 && looked < AT_ONCE && found.size() < most; looked++) {
            Region region = read(cpu, Addresses.hpa(pfn));
            if (wanted.test(region)) {
                found.add(region);
            }
            pfn = ledger.nextBacked(pfn + Addresses.PAGES_PER_RANGE);
        }
        return pfn;
    }

    private Region read(HostCpu cpu, @Hpa long base) {
        PairLedger.Pair pair = ledger.pairOf(Addresses.pfn(base));
        List<Long> pages = host.isDynamicPamt() ? pairOf(cpu, base) : List.of();
        return new Region(
                base,
                refcount(base),
                pages,
                pair == null ? null : pair.cause(),
                pair == null ? "" : ids.apply(pair.owner()),
                node(base));
    }

    private List<Long> pairOf(HostCpu cpu, @Hpa long base) {
        long status = host.tdh().phymem().pageRdmd(cpu, base, PageInfo.LEVEL_2M);
        if (status != Status.SUCCESS || (cpu.regs().rcx() & HAS_PAIR) == 0) {
            return List.of();
        }
        return List.of(cpu.regs().r10(), cpu.regs().r11());
    }

    /** The refcount of a range; 0 where it has none. */
    int refcount(@Hpa long hpa) {
        MemoryBlock block = blockOf(hpa);
        if (block == null || host.refcounts().isEmpty()) {
            return 0;
        }
        long base = Addresses.alignDown(hpa, Addresses.RANGE_SIZE);
        return host.refcounts().get().read(Math.max(Addresses.pfn(base), block.startPfn()));
    }

    private <T> T stopped(Function<HostCpu, T> work) {
        return Stopped.with(host, work);
    }

    // ------------------------------------------------------------------ the other mode

    @Override
    public Comparison compare() {
        HostMemoryReport report = host.memoryReport();
        PamtSizes real = host.info().pamt();
        // A module without Dynamic PAMT does not say how wide its bitmap would be: as all others.
        PamtSizes sizes =
                real.bitmapBits() > 0
                        ? real
                        : new PamtSizes(real.entry4k(), real.entry2m(), real.entry1g(), 1);
        long reserved = 0;
        for (Tdmr tdmr : host.tdmrs()) {
            reserved += PamtLayout.of(tdmr.range().size(), sizes, true).total();
        }
        long fixed = reserved + refcountBytes();
        long inUse = rangesInUse();
        return comparison(
                host.isDynamicPamt(),
                report.staticPamtWouldBe(),
                fixed,
                inUse,
                report.tdmrBytes() >>> Addresses.RANGE_SHIFT);
    }

    /**
     * Puts the figures together.
     *
     * @param fixed what dynamic PAMT costs without any pair
     */
    static Comparison comparison(
            boolean dynamic, long staticBytes, long fixed, long inUse, long total) {
        long saved = staticBytes - fixed;
        return new Comparison(
                dynamic,
                staticBytes,
                fixed + inUse * PAIR_BYTES,
                inUse,
                total,
                saved < 0 ? 0 : saved / PAIR_BYTES + 1);
    }

    /** What the counters cost, or would by the host's policy, where they would exist. */
    private long refcountBytes() {
        return host.refcounts()
                .map(RangeRefcounts::bytes)
                .orElseGet(() ->
                        RangeRefcounts.bytesFor(
                                host.memory().blocks(),
                                host.policy().refcounts() == HostPolicy.Refcounts.SPARSE));
    }

    private long rangesInUse() {
        if (host.isDynamicPamt()) {
            long[] ranges = new long[1];
            ledger.forEach((pfn, owner, cause) -> ranges[0]++);
            return ranges[0];
        }
        return host.stopMachine()
                .whileStopped(() -> {
                    Set<Long> ranges = new HashSet<>();
                    host.pages()
                            .forEachPage((pfn, use) -> {
                                if (use == PageUse.CONTROL || use == PageUse.SEPT) {
                                    ranges.add(rangeOf(pfn));
                                }
                            });
                    for (KvmTdx vm : vms.get()) {
                        vm.guestMap()
                                .forEachLeaf(PageInfo.LEVEL_4K, pfn -> ranges.add(rangeOf(pfn)));
                    }
                    return (long) ranges.size();
                });
    }

    private static long rangeOf(@Pfn long pfn) {
        return pfn & -Addresses.PAGES_PER_RANGE;
    }
}
