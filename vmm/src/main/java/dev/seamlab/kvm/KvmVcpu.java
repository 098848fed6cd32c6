// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.host.TdxHost;
import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.mem.PageAllocator;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.host.pamt.FaultPool;
import dev.seamlab.kvm.KvmStats.Counter;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Gpa;
import dev.seamlab.machine.GuestCode;
import dev.seamlab.machine.GuestContext;
import dev.seamlab.machine.Hpa;
import dev.seamlab.machine.Pfn;
import dev.seamlab.machine.Registers;
import dev.seamlab.machine.sched.Cells;
import dev.seamlab.machine.sched.Lock;
import dev.seamlab.machine.sched.LockRank;
import dev.seamlab.machine.sched.Waits;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.StatusCode;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A vCPU. Its own thread calls {@link #run}; other threads may kick it and ask it to leave. The
 * steps before that come from whoever builds the VM.
 */
public final class KvmVcpu {
    private static final int CHUNKS_PER_PAGE = 16;
    private static final int CHUNK_BYTES = 256;
    private static final int CPU = 16;

    private final KvmTdx vm;
    private final TdxHost host;
    private final int index;
    private final Lock mutex = new Lock(LockRank.VCPU);
    private final FaultPool pool;
    private final FaultRange faultRange = new FaultRange();
    private final MirrorCursor mirrorCursor = new MirrorCursor();
    private final VcpuMode mode = new VcpuMode();
    private final Registers gprs = new Registers();
    private final VcpuRun run;

    // All guarded by mutex, or by KVM while the VM is torn down.
    private final List<Long> tdcx = new ArrayList<>();
    private volatile @Pfn long tdvpr = PageAllocator.NONE;
    private volatile boolean initialised;
    private boolean bound;
    private @Hpa long populateSource;

    /**
     * The CPU whose caches and TLB know this vCPU, plus one; changed by its own thread, or there.
     */
    private final int[] associated = new int[32];

    KvmVcpu(KvmTdx vm, TdxHost host, int index) {
        this.vm = vm;
        this.host = host;
        this.index = index;
        // a pool exists from the vCPU's first moment, whether it is ever initialised or not.
        this.pool = host.newFaultPool(0);
        this.run = new VcpuRun(vm, this, mode, gprs);
    }

    /** Number of this vCPU in its VM, from 0. */
    public int index() {
        return index;
    }

    /** KVM_MEMORY_ENCRYPT_OP on this vCPU; null is a bad pointer. */
    public int memoryEncryptOp(@Nullable TdxCmd cmd) {
        return TdxIoctl.vcpu(vm, this, cmd);
    }

    /**
     * KVM_TDX_INIT_VCPU (facts: Linux sheet section 4.7).
     *
     * @param initialRcx what the guest finds in RCX and R8: the address of the TD HOB
     */
    public int init(long initialRcx) {
        return memoryEncryptOp(TdxCmd.of(TdxStep.INIT_VCPU, initialRcx));
    }

    /** INIT_VCPU with all locks held. */
    int initVcpu(TdxCmd cmd) {
        if (cmd.flags() != 0 || initialised) {
            return Errno.EINVAL;
        }
        Long initialRcx = cmd.data(Long.class);
        HostCpu cpu = vm.claimAny();
        try {
            int result = build(cpu, initialRcx == null ? 0 : initialRcx);
            initialised = result == Errno.OK;
            return result;
        } finally {
            vm.release(cpu);
        }
    }

    private int build(HostCpu cpu, long initialRcx) {
        long root = host.controlPages().allocate(cpu);
        if (root == PageAllocator.NONE) {
            return Errno.ENOMEM;
        }
        List<Long> spare = new ArrayList<>();
        for (int i = 0; i < host.info().tdcxPages(); i++) {
            long page = host.controlPages().allocate(cpu);
            if (page == PageAllocator.NONE) {
                spare.add(root);
                return giveUp(cpu, spare, Errno.ENOMEM);
            }
            spare.add(page);
        }
        long status = host.tdh().vp().create(cpu, vm.tdr(), Addresses.hpa(root));
        if (status != Status.SUCCESS) {
            spare.add(root);
            return giveUp(cpu, spare, bug(Leaf.VP_CREATE, status));
        }
        // From here on the module has the TDVPR; what it has taken stays until the vCPU is freed.
        tdvpr = root;
        associate(cpu);
        while (!spare.isEmpty()) {
            long page = spare.getFirst();
            status = host.tdh().vp().addcx(cpu, tdvprHpa(), Addresses.hpa(page));
            if (status != Status.SUCCESS) {
                return giveUp(cpu, spare, bug(Leaf.VP_ADDCX, status));
            }
            tdcx.add(spare.removeFirst());
        }
        // VP.INIT may take the TDR alone, which removals that cannot fail take shared: they are
        // kept
        // out meanwhile.
        vm.mmuLock().writeLock();
        try {
            status = host.tdh().vp().init(cpu, tdvprHpa(), initialRcx, index);
        } finally {
            vm.mmuLock().writeUnlock();
        }
        return status == Status.SUCCESS ? Errno.OK : bug(Leaf.VP_INIT, status);
    }

    private int giveUp(HostCpu cpu, List<Long> spare, int result) {
        for (long page : spare) {
            host.controlPages().free(cpu, page);
        }
        return result;
    }

    private int bug(Leaf leaf, long status) {
        vm.bug(leaf, status);
        return Errno.EIO;
    }

    /** Says what the guest executes on this vCPU; before the first {@link #run}. */
    public void bindGuest(GuestCode code) {
        host.machine().bindGuest(tdvprHpa(), new GuestContext(code, vm.sharedEpt()));
        bound = true;
    }

    /** Bytes of one page to be added. */
    @FunctionalInterface
    public interface PageSource {
        /** Fills in page {@code page} of the region. */
        void copy(long page, byte[] into);
    }

    /**
     * KVM_TDX_INIT_MEM_REGION: adds pages with contents, each measured right after it was added
     * where asked (facts: module ABI section 11.2).
     *
     * @return OK; EINVAL for bad order or arguments, memory without a slot or not private; EEXIST
     *     for a page that is there already; EINTR, EBUSY, ENOMEM, EFAULT, EIO. Pages added so far
     *     stay
     */
    public int initMemRegion(@Gpa long gpa, long pages, boolean measure, PageSource source) {
        MemRegion.UserMemory memory =
                (address, into) -> {
                    source.copy((address >>> Addresses.PAGE_SHIFT) - 1, into);
                    return true;
                };
        return memoryEncryptOp(
                new TdxCmd(
                        TdxStep.INIT_MEM_REGION.id(),
                        measure ? TdxCmd.MEASURE_MEMORY_REGION : 0,
                        new MemRegion(memory, Addresses.PAGE_SIZE, gpa, pages)));
    }

    /** INIT_MEM_REGION with all locks held. */
    int initMemRegion(TdxCmd cmd) {
        if (!initialised || (cmd.flags() & ~TdxCmd.MEASURE_MEMORY_REGION) != 0) {
            return Errno.EINVAL;
        }
        MemRegion region = cmd.data(MemRegion.class);
        if (region == null) {
            return Errno.EFAULT;
        }
        if (!region.isSound(vm.config().sharedBit())) {
            return Errno.EINVAL;
        }
        HostCpu cpu = vm.claimAny();
        try {
            long buffer = host.pages().allocate(cpu, PageUse.BUFFER);
            if (buffer == PageAllocator.NONE) {
                return Errno.ENOMEM;
            }
            populateSource = Addresses.hpa(buffer);
            try {
                return populate(cpu, region, cmd.flags() != 0);
            } finally {
                host.pages().free(cpu, buffer, PageUse.BUFFER);
            }
        } finally {
            vm.release(cpu);
        }
    }

    private int populate(HostCpu cpu, MemRegion region, boolean measure) {
        byte[] bytes = new byte[(int) Addresses.PAGE_SIZE];
        while (region.pages() > 0) {
            if (mode.mustLeave()) {
                return Errno.EINTR; // a signal is pending
            }
            int result = addPage(cpu, region, bytes, measure);
            if (result != Errno.OK) {
                return result;
            }
            region.advance();
        }
        return Errno.OK;
    }

    /** kvm_gmem_populate of one page, then MR.EXTEND of what it holds. */
    private int addPage(HostCpu cpu, MemRegion region, byte[] bytes, boolean measure) {
        long gfn = Addresses.gfn(region.gpa());
        Memslot slot = vm.slots().find(gfn);
        if (slot == null || !slot.admits(gfn, true)) {
            return Errno.EINVAL;
        }
        if (vm.mirror().lookup(gfn) != 0) {
            return Errno.EEXIST;
        }
        if (!region.copyNext(bytes)) {
            return Errno.EFAULT;
        }
        host.machine().memory().write(populateSource, bytes, 0, bytes.length);
        int result = vm.faults().attempt(cpu, this, gfn, true, FaultPath.NO_ACCEPT);
        if (result != Errno.OK) {
            return result == FaultPath.RETRY ? Errno.EBUSY : result;
        }
        for (int chunk = 0; measure && chunk < CHUNKS_PER_PAGE; chunk++) {
            long gpa = region.gpa() + (long) chunk * CHUNK_BYTES;
            long status = host.tdh().mng().mrExtend(cpu, vm.tdr(), gpa);
            if (status != Status.SUCCESS) {
                return bug(Leaf.MR_EXTEND, status);
            }
        }
        return Errno.OK;
    }

    /**
     * KVM_PRE_FAULT_MEMORY: maps what a fault on a range would map, private pages without their
     * being accepted. The range moves on with what is done.
     *
     * @return OK where at least one page was mapped; EINVAL; EOPNOTSUPP before the TD is finalised;
     *     ENOENT without a slot; EAGAIN where a slot is just being moved or deleted; EINTR; ENOMEM;
     *     EIO
     */
    public int preFaultMemory(PreFault range) {
        mutex.lock();
        try {
            if (vm.isDead()) {
                return Errno.EIO;
            }
            if (!range.isSound()) {
                return Errno.EINVAL;
            }
            return vm.working(() -> preFault(range));
        } finally {
            mutex.unlock();
        }
    }

    private int preFault(PreFault range) {
        long before = range.size();
        int result = Errno.OK;
        while (range.size() > 0 && result == Errno.OK) {
            result = mode.mustLeave() ? Errno.EINTR : preFaultPage(range.gpa());
            if (result == Errno.OK) {
                range.advance();
            }
        }
        return range.size() == before ? result : Errno.OK;
    }

    private int preFaultPage(@Gpa long gpa) {
        if (!vm.life().isPreFaultAllowed()) {
            return Errno.EOPNOTSUPP;
        }
        if (gpa >= 1L << vm.config().sharedBit()) {
            return Errno.EINVAL;
        }
        long gfn = Addresses.gfn(gpa);
        while (true) {
            Memslot slot = vm.slots().find(gfn);
            if (slot == null) {
                return Errno.ENOENT;
            }
            if (slot.isInvalid()) {
                return Errno.EAGAIN;
            }
            HostCpu cpu = vm.claimAny();
            int result;
            try {
                boolean isPrivate = slot.attributes().isPrivate(slot.index(gfn));
                result = vm.faults().attempt(cpu, this, gfn, isPrivate, FaultPath.NO_ACCEPT);
            } finally {
                vm.release(cpu);
            }
            if (result != FaultPath.RETRY) {
                return result;
            }
            if (mode.mustLeave()) {
                return Errno.EINTR;
            }
            Waits.pause();
        }
    }

    /**
     * KVM_RUN: executes the guest until user space has something to do. Sleeps while the guest is
     * halted. Exits before that only after {@link #requestExit}.
     */
    public KvmExit run() {
        return run(false);
    }

    /**
     * As {@link #run}, but comes back with {@link KvmExit.Halted} where the guest halts: KVM_RUN
     * for a user space that serves HLT itself (KVM_EXIT_HLT).
     */
    public KvmExit runUntilHalt() {
        return run(true);
    }

    private KvmExit run(boolean exitOnHalt) {
        mutex.lock();
        try {
            if (!initialised || !bound || !vm.isRunnable()) {
                return new KvmExit.Failed(Errno.EINVAL, "KVM_RUN before the TD is finalised");
            }
            return run.run(exitOnHalt);
        } finally {
            mutex.unlock();
        }
    }

    /**
     * Answers a {@link KvmExit.MapGpa}.
     *
     * @param result OK, or the errno that the conversion ended with
     */
    public void completeMapGpa(int result) {
        mutex.lock();
        try {
            run.completeMapGpa(result);
        } finally {
            mutex.unlock();
        }
    }

    /**
     * Answers a {@link KvmExit.Tdx}; unanswered, what KVM preset stands.
     *
     * @param code what the guest finds in R10, see {@link dev.seamlab.seam.abi.Tdvmcall}
     * @param more R11 to R14 for {@link KvmExit.GetTdVmCallInfo}; what is missing is 0
     */
    public void completeTdx(long code, long... more) {
        mutex.lock();
        try {
            run.completeTdx(code, more);
        } finally {
            mutex.unlock();
        }
    }

    /** Lets {@link #run} return soon with {@link KvmExit.Interrupted}, now or when next called. */
    public void requestExit() {
        mode.requestExit();
        mode.kick(host.machine());
        mode.wake();
    }

    /** Takes {@link #requestExit} back; only while the vCPU is not running. */
    public void allowRun() {
        mode.allowRun();
    }

    /** Whether the guest is halted and sleeps. */
    public boolean isHalted() {
        return mode.isHalted();
    }

    // ------------------------------------------------------------------ inside KVM

    /** Slot in the MMU lock and the counters; 0 is for threads without a vCPU. */
    int slot() {
        return index + 1;
    }

    FaultRange faultRange() {
        return faultRange;
    }

    MirrorCursor mirrorCursor() {
        return mirrorCursor;
    }

    Lock mutex() {
        return mutex;
    }

    FaultPool pool() {
        return pool;
    }

    @Hpa
    long populateSource() {
        return populateSource;
    }

    /** Logical CPU that the module associates this vCPU with, or -1. */
    public int cpu() {
        return Cells.acquire(associated, CPU) - 1;
    }

    /** Times this vCPU left the guest. */
    public long tdExits() {
        return vm.stats().get(slot(), Counter.TD_EXITS);
    }

    /** Whether KVM_TDX_INIT_VCPU is done. */
    public boolean isInitialised() {
        return initialised;
    }

    /** Address of the TDVPR page; 0 before there is one. */
    public @Hpa long rootHpa() {
        return tdvpr == PageAllocator.NONE ? 0 : tdvprHpa();
    }

    @Hpa
    long tdvprHpa() {
        return Addresses.hpa(tdvpr);
    }

    /** Whether a fault must not be retried in place. */
    boolean hasEvent(HostCpu cpu) {
        return cpu.logical().interruptPending() || mode.hasRequest();
    }

    /** Wants the vCPU out of the guest once; whether it had to be interrupted. */
    boolean kick() {
        return mode.kick(host.machine());
    }

    void awaitOutside() {
        mode.awaitOutside();
    }

    /**
     * Claims a CPU to run on: the one that this vCPU is associated with if that is free, another
     * one if that is, and else the one with the shortest queue. Before the vCPU goes elsewhere its
     * old CPU flushes it, by interrupt if a guest runs there.
     */
    HostCpu claimCpu() {
        while (true) {
            int before = Cells.acquire(associated, CPU) - 1;
            int chosen = host.cpus().choose(before);
            if (before >= 0 && chosen != before) {
                flush();
                vm.stats().count(slot(), Counter.MIGRATIONS);
            }
            HostCpu cpu = vm.claimIfOnline(chosen);
            if (cpu != null) {
                associate(cpu);
                return cpu;
            }
        }
    }

    private void associate(HostCpu cpu) {
        Cells.release(associated, CPU, cpu.index() + 1);
    }

    /** TDH.VP.FLUSH on the CPU that this vCPU is associated with. The caller holds no CPU. */
    void flush() {
        int cpu = Cells.acquire(associated, CPU) - 1;
        if (cpu >= 0) {
            host.cpus().runOn(cpu, this::leaveCpu);
        }
    }

    /**
     * Flushes this vCPU on the caller's CPU, if it is associated with that one. Runs wherever that
     * CPU is held, so two flushes exclude each other, and what the word says stays true until then.
     */
    void leaveCpu(HostCpu cpu) {
        if (Cells.acquire(associated, CPU) != cpu.index() + 1) {
            return;
        }
        long status = host.tdh().vp().flush(cpu, tdvprHpa());
        if (status != Status.SUCCESS && !StatusCode.VCPU_NOT_ASSOCIATED.matches(status)) {
            vm.bug(Leaf.VP_FLUSH, status);
        }
        Cells.release(associated, CPU, 0);
    }

    long controlPages() {
        return (long) tdcx.size() + (tdvpr == PageAllocator.NONE ? 0 : 1);
    }

    /** Pages that wait in its pools. */
    public long poolPages() {
        return pool.held();
    }

    void unbindGuest() {
        if (bound) {
            host.machine().bindGuest(tdvprHpa(), null);
            bound = false;
        }
    }

    /** Pages that the module holds for this vCPU; they are the caller's now, the TDVPR last. */
    List<Long> takeControlPages() {
        List<Long> pages = new ArrayList<>(tdcx);
        tdcx.clear();
        if (tdvpr != PageAllocator.NONE) {
            pages.add(tdvpr);
            tdvpr = PageAllocator.NONE;
        }
        initialised = false;
        return pages;
    }

    /** Times an empty pool was helped out by an atomic allocation. */
    int poolFallbacks() {
        return pool.fallbacks();
    }
}
