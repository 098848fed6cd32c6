// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host;

import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.cpu.HostCpus;
import dev.seamlab.host.init.InitStep;
import dev.seamlab.host.init.MemoryBlock;
import dev.seamlab.host.init.MemoryList;
import dev.seamlab.host.init.PamtChunk;
import dev.seamlab.host.init.PamtLayout;
import dev.seamlab.host.init.ReservedArea;
import dev.seamlab.host.init.SystemInfo;
import dev.seamlab.host.init.SystemInfoReader;
import dev.seamlab.host.init.Tdmr;
import dev.seamlab.host.init.TdmrRange;
import dev.seamlab.host.init.TdxInitException;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.kernel.KernelLog;
import dev.seamlab.host.mem.PageAllocator;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.host.pamt.AlwaysLockBacking;
import dev.seamlab.host.pamt.DecAndLockBacking;
import dev.seamlab.host.pamt.FlatRefcounts;
import dev.seamlab.host.pamt.GlobalLockBacking;
import dev.seamlab.host.pamt.LockAvoidingBacking;
import dev.seamlab.host.pamt.PageReset;
import dev.seamlab.host.pamt.PairPages;
import dev.seamlab.host.pamt.PamtBacking;
import dev.seamlab.host.pamt.RangeRefcounts;
import dev.seamlab.host.pamt.SparseRefcounts;
import dev.seamlab.host.pamt.StaticBacking;
import dev.seamlab.host.tdh.SeamcallErrno;
import dev.seamlab.host.tdh.SysLeaves;
import dev.seamlab.host.tdh.Tdh;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Hpa;
import dev.seamlab.machine.LogicalCpu;
import dev.seamlab.machine.Machine;
import dev.seamlab.machine.Pfn;
import dev.seamlab.machine.Registers;
import dev.seamlab.machine.profile.KeyIdPartition;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.TdmrInfo;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One attempt to bring the module up: the steps of the kernel, in its order (facts: Linux sheet
 * sections 2.1 to 2.8), with its lines in the log, undone in reverse if one fails. Not repeated:
 * the kernel remembers that it failed, and a module that has seen SYS.INIT does not take it again.
 */
final class BringUp {
    /** A TDMR list this close to its end deserves a warning. */
    private static final int FEW_SLOTS = 4;

    private final Machine machine;
    private final PageAllocator pages;
    private final HostPolicy policy;
    private final KernelLog log;
    private final SeamcallErrno errnos;
    private final HostCpus cpus;
    private final Tdh tdh;
    private final PageReset reset;
    private final BitSet initialisedCpus = new BitSet();
    private final Unwind unwind = new Unwind();

    BringUp(
            Machine machine,
            PageAllocator pages,
            HostPolicy policy,
            KernelLog log,
            SeamcallErrno errnos) {
        this.machine = machine;
        this.pages = pages;
        this.policy = policy;
        this.log = log;
        this.errnos = errnos;
        this.cpus = new HostCpus(machine);
        this.tdh = new Tdh(machine);
        this.reset = new PageReset(machine.memory(), machine.profile().partialWriteErratum());
    }

    TdxHost run() throws TdxInitException {
        try {
            return steps();
        } catch (TdxInitException e) {
            if (!e.logLine().isEmpty()) {
                print(e.logLine());
            }
            unwind.run();
            if (e.step().isModuleInitialisation()) {
                print("module initialization failed (" + e.errno() + ")");
            }
            throw e;
        }
    }

    private TdxHost steps() throws TdxInitException {
        int globalKeyId = partitionKeyIds();
        KeyIdPartition partition = machine.profile().keyIds();
        KeyIds keyIds = new KeyIds(globalKeyId + 1, partition.lastPrivate() - globalKeyId);

        initialiseCpus();
        SystemInfo info = readMetadata();
        boolean dynamic = choosePamt(info);

        MemoryList memory = MemoryList.of(machine.profile().nodes());
        RangeRefcounts refcounts = dynamic ? createRefcounts(memory) : null;

        @Hpa long array = allocateTdmrArray(info);
        List<Tdmr> tdmrs = buildTdmrs(info, memory, dynamic);
        configure(info, tdmrs, array, globalKeyId, dynamic);
        configureGlobalKey();
        initialiseTdmrs(tdmrs);

        long bytes = tdmrs.stream().mapToLong(tdmr -> tdmr.chunk().layout().total()).sum();
        print(bytes / 1024 + " KB allocated for PAMT");
        print("module initialized");
        return new TdxHost(
                new TdxHost.Parts(
                        machine,
                        policy,
                        dynamic,
                        cpus,
                        tdh,
                        pages,
                        info,
                        memory,
                        List.copyOf(tdmrs),
                        refcounts,
                        createBacking(refcounts),
                        reset,
                        globalKeyId,
                        keyIds,
                        initialisedCpus,
                        log));
    }

    private int partitionKeyIds() throws TdxInitException {
        KeyIdPartition partition = machine.profile().keyIds();
        if (partition.tdx() > 0) {
            print(
                    "BIOS enabled: private KeyID range ["
                            + partition.firstPrivate()
                            + ", "
                            + (partition.lastPrivate() + 1)
                            + ")");
        }
        if (partition.tdx() < 2) {
            throw new TdxInitException(
                    InitStep.KEYID_PARTITION,
                    Errno.ENODEV,
                    "the BIOS left "
                            + partition.tdx()
                            + " private KeyIDs; TDX needs one for the module and one per TD",
                    partition.tdx() == 0
                            ? ""
                            : "initialization failed: too few private KeyIDs available.");
        }
        print("Disable ACPI S3. Turn off TDX in the BIOS to use ACPI S3.");
        return partition.firstPrivate();
    }

    private void initialiseCpus() throws TdxInitException {
        boolean first = true;
        for (LogicalCpu logical : machine.cpus()) {
            if (!logical.isOnline()) {
                continue;
            }
            HostCpu cpu = cpus.claim(logical.index());
            try {
                if (first) {
                    sysInit(cpu);
                    first = false;
                }
                require(
                        InitStep.LP_INIT,
                        "the module refused on " + cpu,
                        Leaf.SYS_LP_INIT,
                        tdh.sys().lpInit(cpu));
                initialisedCpus.set(logical.index());
            } finally {
                cpus.release(cpu);
            }
        }
    }

    /** The first SEAMCALL of all, so that it also finds out whether there is a module. */
    private void sysInit(HostCpu cpu) throws TdxInitException {
        long status = tdh.sys().init(cpu);
        if (status == Machine.SEAMCALL_VMFAILINVALID) {
            print("module not loaded");
        }
        require(InitStep.SYS_INIT, "the module refused", Leaf.SYS_INIT, status);
    }

    private SystemInfo readMetadata() throws TdxInitException {
        HostCpu cpu = cpus.claimAny();
        try {
            SystemInfo info = new SystemInfoReader(tdh.sys(), cpu).read();
            print("Module version: " + HostAttributes.version(info));
            return info;
        } catch (TdxInitException e) {
            if (e.errno() == Errno.EIO) {
                printRefusal(Leaf.SYS_RD, e.status());
                printRegisters(cpu);
            }
            throw e;
        } finally {
            cpus.release(cpu);
        }
    }

    /** Whether to use Dynamic PAMT: where the policy wants it and the module offers it. */
    private boolean choosePamt(SystemInfo info) {
        if (policy.pamt() == HostPolicy.Pamt.STATIC) {
            return false;
        }
        if (!info.hasDynamicPamt()) {
            print("module " + info.version() + " has no Dynamic PAMT, using static PAMT");
            return false;
        }
        return true;
    }

    private RangeRefcounts createRefcounts(MemoryList memory) throws TdxInitException {
        return switch (policy.refcounts()) {
            case FLAT -> {
                FlatRefcounts flat = new FlatRefcounts(pages, memory.maxPfn());
                if (flat.allocate() != Errno.OK) {
                    throw noRefcounts("no memory for one counter per 2 MiB below the highest RAM");
                }
                unwind.add(flat::release);
                yield flat;
            }
            case SPARSE -> {
                SparseRefcounts sparse = new SparseRefcounts(pages, memory.maxPfn());
                unwind.add(sparse::release);
                for (MemoryBlock block : memory.blocks()) {
                    if (sparse.populate(block.startPfn(), block.endPfn(), block.node())
                            != Errno.OK) {
                        throw noRefcounts("no memory for the counters of a memory block");
                    }
                }
                yield sparse;
            }
        };
    }

    private static TdxInitException noRefcounts(String why) {
        return new TdxInitException(InitStep.REFCOUNTS, Errno.ENOMEM, why);
    }

    private @Hpa long allocateTdmrArray(SystemInfo info) throws TdxInitException {
        long bytes = info.maxTdmrs() * infoStride(info);
        long count = Addresses.alignUp(bytes, Addresses.PAGE_SIZE) >>> Addresses.PAGE_SHIFT;
        long first = pages.allocateRange(0, count, 1, PageUse.HOST);
        if (first == PageAllocator.NONE) {
            throw new TdxInitException(
                    InitStep.TDMR_ARRAY, Errno.ENOMEM, "no memory for the TDMR array");
        }
        unwind.add(() -> pages.freeRange(first, count, PageUse.HOST));
        for (long pfn = first; pfn < first + count; pfn++) {
            machine.memory().zeroPage(Addresses.hpa(pfn));
        }
        return Addresses.hpa(first);
    }

    private static long infoStride(SystemInfo info) {
        return Addresses.alignUp(64 + 16L * info.maxReservedPerTdmr(), TdmrInfo.ALIGNMENT);
    }

    private List<Tdmr> buildTdmrs(SystemInfo info, MemoryList memory, boolean dynamic)
            throws TdxInitException {
        List<TdmrRange> ranges = TdmrRange.covering(memory.blocks(), info.maxTdmrs());
        if (info.maxTdmrs() - ranges.size() < FEW_SLOTS) {
            print(
                    "consumed TDMRs reaching limit: "
                            + ranges.size()
                            + " used out of "
                            + info.maxTdmrs());
        }
        List<PamtChunk> chunks = new ArrayList<>();
        for (TdmrRange range : ranges) {
            PamtLayout layout = PamtLayout.of(range.size(), info.pamt(), dynamic);
            chunks.add(allocateChunk(layout, Math.max(0, range.node(memory.blocks()))));
        }
        List<Tdmr> tdmrs = new ArrayList<>();
        for (int i = 0; i < ranges.size(); i++) {
            tdmrs.add(
                    new Tdmr(
                            ranges.get(i),
                            chunks.get(i),
                            ReservedArea.of(
                                    ranges.get(i),
                                    memory.blocks(),
                                    chunks,
                                    info.maxReservedPerTdmr())));
        }
        return tdmrs;
    }

    private PamtChunk allocateChunk(PamtLayout layout, int node) throws TdxInitException {
        long count = layout.total() >>> Addresses.PAGE_SHIFT;
        @Pfn long first = pages.allocateRange(node, count, 1, PageUse.PAMT_STATIC);
        if (first == PageAllocator.NONE) {
            throw new TdxInitException(
                    InitStep.PAMT,
                    Errno.ENOMEM,
                    "no node has " + layout.total() + " contiguous bytes");
        }
        unwind.add(() -> pages.freeRange(first, count, PageUse.PAMT_STATIC));
        return new PamtChunk(Addresses.hpa(first), layout);
    }

    private void configure(
            SystemInfo info, List<Tdmr> tdmrs, @Hpa long array, int globalKeyId, boolean dynamic)
            throws TdxInitException {
        long table = pages.allocate(0, PageUse.BUFFER);
        if (table == PageAllocator.NONE) {
            throw new TdxInitException(
                    InitStep.SYS_CONFIG, Errno.ENOMEM, "no page for the list of TDMRs");
        }
        for (int i = 0; i < tdmrs.size(); i++) {
            @Hpa long at = array + i * infoStride(info);
            tdmrs.get(i).writeInfo(machine.memory(), at);
            machine.memory().writeLong(Addresses.hpa(table) + 8L * i, at);
        }
        HostCpu cpu = cpus.claimAny();
        long status;
        if (dynamic) {
            print("Enable Dynamic PAMT");
        }
        try {
            status =
                    tdh.sys()
                            .config(
                                    cpu,
                                    Addresses.hpa(table),
                                    tdmrs.size(),
                                    globalKeyId,
                                    dynamic ? SysLeaves.CONFIG_DYNAMIC_PAMT : 0);
        } finally {
            cpus.release(cpu);
            pages.free(table, PageUse.BUFFER);
        }
        require(
                InitStep.SYS_CONFIG,
                dynamic ? "the module refused Dynamic PAMT or the TDMRs" : "the module refused",
                Leaf.SYS_CONFIG,
                status);
        // From here on the module may write PAMT under its own key. The kernel writes back all
        // caches first, which the model has not.
        unwind.add(() -> tdmrs.forEach(tdmr -> reset(tdmr.chunk())));
    }

    private void reset(PamtChunk chunk) {
        for (long pfn = chunk.firstPfn(); pfn < chunk.firstPfn() + chunk.pages(); pfn++) {
            reset.reset(pfn);
        }
    }

    /**
     * On one CPU of each package in turn; at the same time they would contend. Before it the kernel
     * writes back all caches, because PAMT may have dirty lines under KeyID 0: the model has no
     * caches to write back.
     */
    private void configureGlobalKey() throws TdxInitException {
        for (int p = 0; p < cpus.packages(); p++) {
            if (!cpus.isPackageOnline(p)) {
                continue;
            }
            HostCpu cpu = cpus.claimOnPackage(p);
            try {
                require(
                        InitStep.KEY_CONFIG,
                        "refused on package " + p,
                        Leaf.SYS_KEY_CONFIG,
                        tdh.sys().keyConfig(cpu));
            } finally {
                cpus.release(cpu);
            }
        }
    }

    private void initialiseTdmrs(List<Tdmr> tdmrs) throws TdxInitException {
        for (Tdmr tdmr : tdmrs) {
            HostCpu cpu = cpus.claimAny();
            try {
                initialiseTdmr(cpu, tdmr);
            } finally {
                cpus.release(cpu);
            }
        }
    }

    /** Some 400,000 calls for 6 TiB of static PAMT, so the text for a refusal is made for that. */
    private void initialiseTdmr(HostCpu cpu, Tdmr tdmr) throws TdxInitException {
        @Hpa long base = tdmr.range().base();
        long status;
        do {
            status = tdh.sys().tdmrInit(cpu, base);
        } while (status == Status.SUCCESS && cpu.regs().rdx() < tdmr.range().end());
        if (status != Status.SUCCESS) {
            printRefusal(Leaf.SYS_TDMR_INIT, status);
            printRegisters(cpu);
            throw new TdxInitException(
                    InitStep.TDMR_INIT,
                    errnos.of(status),
                    "refused for " + Addresses.show(base),
                    status);
        }
    }

    private PamtBacking createBacking(@Nullable RangeRefcounts refcounts) {
        if (refcounts == null) {
            return new StaticBacking();
        }
        PairPages pairs = new PairPages(pages, reset, log);
        return switch (policy.getPut()) {
            case GLOBAL_LOCK -> new GlobalLockBacking(refcounts, tdh.phymem(), pairs);
            case LOCK_AVOIDING -> new LockAvoidingBacking(refcounts, tdh.phymem(), pairs);
            case DEC_AND_LOCK -> new DecAndLockBacking(refcounts, tdh.phymem(), pairs);
            case ALWAYS_LOCK -> new AlwaysLockBacking(refcounts, tdh.phymem(), pairs);
        };
    }

    /** As sc_retry_prerr: anything but success ends bring-up (facts: Linux sheet section 1.2). */
    private void require(InitStep step, String what, Leaf leaf, long status)
            throws TdxInitException {
        if (status != Status.SUCCESS) {
            printRefusal(leaf, status);
            throw new TdxInitException(step, errnos.of(status), what, status);
        }
    }

    /** What has a meaning of its own to the kernel, as that no module is there, is not printed. */
    private void printRefusal(Leaf leaf, long status) {
        if (errnos.of(status) == Errno.EIO) {
            print(String.format("SEAMCALL (0x%016x) failed: 0x%016x", leaf.number(), status));
        }
    }

    private void printRegisters(HostCpu cpu) {
        Registers regs = cpu.regs();
        print(
                String.format(
                        "RCX 0x%016x RDX 0x%016x R08 0x%016x", regs.rcx(), regs.rdx(), regs.r8()));
        print(
                String.format(
                        "R09 0x%016x R10 0x%016x R11 0x%016x", regs.r9(), regs.r10(), regs.r11()));
    }

    private void print(String text) {
        log.line("virt/tdx: " + text);
    }
}
