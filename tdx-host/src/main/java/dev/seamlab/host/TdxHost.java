// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host;

import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.cpu.HostCpus;
import dev.seamlab.host.cpu.StopMachine;
import dev.seamlab.host.init.MemoryList;
import dev.seamlab.host.init.SystemInfo;
import dev.seamlab.host.init.Tdmr;
import dev.seamlab.host.init.TdxInitException;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.kernel.KernelLog;
import dev.seamlab.host.mem.PageAllocator;
import dev.seamlab.host.pamt.AllocatorPairs;
import dev.seamlab.host.pamt.ControlPages;
import dev.seamlab.host.pamt.FaultPool;
import dev.seamlab.host.pamt.MixedPool;
import dev.seamlab.host.pamt.PageReset;
import dev.seamlab.host.pamt.PairCache;
import dev.seamlab.host.pamt.PairPages;
import dev.seamlab.host.pamt.PairSource;
import dev.seamlab.host.pamt.PamtBacking;
import dev.seamlab.host.pamt.RangeRefcounts;
import dev.seamlab.host.pamt.RangeSplits;
import dev.seamlab.host.tdh.SeamcallErrno;
import dev.seamlab.host.tdh.Tdh;
import dev.seamlab.machine.Machine;
import dev.seamlab.machine.sched.Lock;
import dev.seamlab.machine.sched.LockRank;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Status;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * A host whose TDX module is up: everything that TDs on one machine share.
 *
 * <p>KVM reaches the module through {@link #tdh}, gets pages from {@link #pages} and {@link
 * #controlPages}, keeps them backed with {@link #backing}, and serialises KeyID steps with {@link
 * #tdxLock}.
 */
public final class TdxHost {
    private final Parts parts;
    private final ControlPages controlPages;
    private final List<PairSource> sleepingPairs;
    private final RangeSplits splits;
    private final Lock tdxLock = new Lock(LockRank.TDX);
    private final Lock hotplugLock = new Lock(LockRank.CPU_HOTPLUG);
    private final StopMachine stopMachine;
    private final List<Consumer<HostCpu>> offlineListeners = new CopyOnWriteArrayList<>();

    /** What bring-up has put together. */
    record Parts(
            Machine machine,
            HostPolicy policy,
            boolean dynamicPamt,
            HostCpus cpus,
            Tdh tdh,
            PageAllocator pages,
            SystemInfo info,
            MemoryList memory,
            List<Tdmr> tdmrs,
            @Nullable RangeRefcounts refcounts,
            PamtBacking backing,
            PageReset reset,
            int globalKeyId,
            KeyIds keyIds,
            BitSet initialisedCpus,
            KernelLog log) {}

    TdxHost(Parts parts) {
        this.parts = parts;
        this.controlPages = new ControlPages(parts.pages, parts.backing);
        this.stopMachine = new StopMachine(parts.cpus);
        this.sleepingPairs =
                IntStream.range(0, parts.pages.nodes())
                        .<PairSource>mapToObj(node -> new AllocatorPairs(parts.pages, node))
                        .toList();
        this.splits =
                new RangeSplits(
                        parts.backing,
                        parts.refcounts,
                        parts.tdh.mem(),
                        parts.tdh.phymem(),
                        new PairPages(parts.pages, parts.reset, parts.log));
    }

    /**
     * Brings the TDX module of a machine up, as the kernel does at boot.
     *
     * @param machine a machine with the module loaded
     * @param policy which variants to run
     * @param log receives the lines of the kernel log
     * @throws TdxInitException naming the step; everything taken from the host is given back
     */
    public static TdxHost bringUp(Machine machine, HostPolicy policy, KernelLog log)
            throws TdxInitException {
        return bringUp(machine, new PageAllocator(machine), policy, log);
    }

    /** Brings the module up on a host whose page allocator is already in use. */
    public static TdxHost bringUp(
            Machine machine, PageAllocator pages, HostPolicy policy, KernelLog log)
            throws TdxInitException {
        return new BringUp(machine, pages, policy, log, SeamcallErrno.KERNEL).run();
    }

    /** The hardware. */
    public Machine machine() {
        return parts.machine;
    }

    /** The policy as wanted; see {@link #isDynamicPamt} for what the module allowed. */
    public HostPolicy policy() {
        return parts.policy;
    }

    /** Whether Dynamic PAMT is in use. */
    public boolean isDynamicPamt() {
        return parts.dynamicPamt;
    }

    /** The logical CPUs, for claiming. */
    public HostCpus cpus() {
        return parts.cpus;
    }

    /** The SEAMCALL leaves. */
    public Tdh tdh() {
        return parts.tdh;
    }

    /** The page allocator. */
    public PageAllocator pages() {
        return parts.pages;
    }

    /** Global metadata of the module. */
    public SystemInfo info() {
        return parts.info;
    }

    /** Memory that TDX may use. */
    public MemoryList memory() {
        return parts.memory;
    }

    /** The TDMRs, ascending. */
    public List<Tdmr> tdmrs() {
        return parts.tdmrs;
    }

    /** The refcounts; none without Dynamic PAMT. */
    public Optional<RangeRefcounts> refcounts() {
        return Optional.ofNullable(parts.refcounts);
    }

    /** get and put. */
    public PamtBacking backing() {
        return parts.backing;
    }

    /** DEMOTE and PROMOTE of guest ranges, with their backing. */
    public RangeSplits splits() {
        return splits;
    }

    /** Pages with backing, for control structures. */
    public ControlPages controlPages() {
        return controlPages;
    }

    /** Pairs straight from the page allocator, for callers that may sleep. */
    public PairSource sleepingPairs(int node) {
        return sleepingPairs.get(node);
    }

    /** A new pool for one vCPU's faults, of the kind that the policy names. */
    public FaultPool newFaultPool(int node) {
        return switch (parts.policy.pool()) {
            case MIXED_POOL -> new MixedPool(parts.pages, node, parts.dynamicPamt);
            case PAIR_CACHE -> new PairCache(parts.pages, node, parts.dynamicPamt);
        };
    }

    /** Resets pages that come back from the module. */
    public PageReset pageReset() {
        return parts.reset;
    }

    /** The module's own KeyID. */
    public int globalKeyId() {
        return parts.globalKeyId;
    }

    /** KeyIDs for guests. */
    public KeyIds keyIds() {
        return parts.keyIds;
    }

    /** tdx_lock: assigning and releasing KeyIDs, one TD at a time. */
    public Lock tdxLock() {
        return tdxLock;
    }

    /**
     * Holds CPU hotplug off while TD creation relies on each package having an online CPU. The
     * kernel's is a reader lock; nothing in the model takes it for long, so one lock does.
     */
    public Lock hotplugLock() {
        return hotplugLock;
    }

    /** Stops everything that changes what host and module hold, for an audit. */
    public StopMachine stopMachine() {
        return stopMachine;
    }

    /** The kernel log. */
    public KernelLog log() {
        return parts.log;
    }

    /**
     * Takes a CPU offline; one that is offline stays so.
     *
     * @return OK; or EBUSY for the last CPU of a package while a guest has a KeyID, because
     *     releasing one needs a CPU on every package, and for the last CPU of all
     */
    public int offline(int cpu) {
        hotplugLock.lock();
        try {
            HostCpu leaving = parts.cpus.all().get(cpu);
            if (!leaving.logical().isOnline()) {
                return Errno.OK;
            }
            if (onlineBeside(leaving, false) == 0) {
                return Errno.EBUSY;
            }
            if (onlineBeside(leaving, true) == 0 && parts.keyIds.used() > 0) {
                parts.log.line(
                        "virt/tdx: TDX requires all packages to have an online CPU. Delete all TDs"
                                + " in order to offline all CPUs of a package.");
                return Errno.EBUSY;
            }
            // Whoever runs there leaves first, and vCPUs associated with it are flushed there: no
            // other CPU could do it, and without it their TDs could never give their KeyIDs back.
            parts.cpus.claim(cpu);
            try {
                for (Consumer<HostCpu> listener : offlineListeners) {
                    listener.accept(leaving);
                }
                leaving.logical().setOnline(false);
                parts.pages.drain(leaving);
            } finally {
                parts.cpus.release(leaving);
            }
            return Errno.OK;
        } finally {
            hotplugLock.unlock();
        }
    }

    /** Calls somebody back, on the CPU, whenever one is about to go offline. */
    public void addOfflineListener(Consumer<HostCpu> listener) {
        offlineListeners.add(listener);
    }

    /** Ends {@link #addOfflineListener}. */
    public void removeOfflineListener(Consumer<HostCpu> listener) {
        offlineListeners.remove(listener);
    }

    private long onlineBeside(HostCpu cpu, boolean samePackage) {
        return parts.cpus.all().stream()
                .filter(other -> other != cpu && other.logical().isOnline())
                .filter(other -> !samePackage || other.packageIndex() == cpu.packageIndex())
                .count();
    }

    /**
     * Takes a CPU online; one that is online stays so. A CPU that was offline when the host came up
     * has its LP.INIT now, before anybody can issue other SEAMCALLs there.
     *
     * @return OK; or EIO where the module refuses LP.INIT, and the CPU stays offline
     */
    public int online(int cpu) {
        hotplugLock.lock();
        try {
            if (parts.cpus.all().get(cpu).logical().isOnline()) {
                return Errno.OK;
            }
            HostCpu coming = parts.cpus.claimOffline(cpu);
            try {
                if (!parts.initialisedCpus.get(cpu)) {
                    long status = parts.tdh.sys().lpInit(coming);
                    if (status != Status.SUCCESS) {
                        parts.log.line(
                                String.format(
                                        "virt/tdx: SEAMCALL (0x%016x) failed: 0x%016x",
                                        Leaf.SYS_LP_INIT.number(), status));
                        return Errno.EIO;
                    }
                    parts.initialisedCpus.set(cpu);
                }
                coming.logical().setOnline(true);
                return Errno.OK;
            } finally {
                parts.cpus.release(coming);
            }
        } finally {
            hotplugLock.unlock();
        }
    }

    /**
     * The module as the kernel's tdx_host device shows it in sysfs, by name, in the order of the
     * names' importance: {@code version} as the kernel has it, and what the kernel read from the
     * module at bring-up.
     */
    public Map<String, String> attributes() {
        return HostAttributes.of(parts.info);
    }

    /** Where the memory is. */
    public HostMemoryReport memoryReport() {
        return HostMemoryReport.of(this);
    }
}
