// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.host.TdxHost;
import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.kvm.KvmStats.Counter;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Gfn;
import dev.seamlab.machine.Gpa;
import dev.seamlab.machine.Hpa;
import dev.seamlab.machine.Pfn;
import dev.seamlab.machine.SharedEpt;
import dev.seamlab.machine.sched.Cells;
import dev.seamlab.machine.sched.Lock;
import dev.seamlab.machine.sched.LockRank;
import dev.seamlab.machine.sched.SlotRwLock;
import dev.seamlab.machine.sched.WaitTimes;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.StatusCode;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A TDX VM. Steps in their order: memslots, {@link #initVm}, {@link #createVcpu} and {@link
 * KvmVcpu#init} each, {@link #setMemoryAttributes}, {@link KvmVcpu#initMemRegion}, {@link
 * #finalizeVm}, {@link KvmVcpu#run}, {@link #destroy}. A step out of order is refused with EINVAL,
 * as the ioctls do (facts: Linux sheet section 4.9).
 */
public final class KvmTdx {
    /** Where the VM stands with the module. */
    enum State {
        UNINITIALIZED,
        INITIALIZED,
        RUNNABLE,
        DESTROYED
    }

    private static final State[] STATES = State.values();
    private static final int STATE = 16;
    private static final int DEAD = 32;
    private static final int HOLD = 33;

    private final TdxHost host;
    private final PairLedger ledger;
    private final int owner;
    private final int maxVcpus;
    private final Lock kvmLock = new Lock(LockRank.KVM);
    private final Lock slotsLock = new Lock(LockRank.SLOTS);
    private final SlotRwLock mmuLock;
    private final Memslots slots = new Memslots();
    private final SharedMmu sharedMmu = new SharedMmu(slots);
    private final Invalidations invalidations = new Invalidations();
    private final KvmStats stats;
    private final ExternalSptOps external;
    private final ZapPath zaps;
    private final int[] words = new int[64];
    private final List<KvmVcpu> vcpus = new ArrayList<>(); // guarded by KVM while it grows
    private volatile KvmVcpu[] running = {};
    private volatile @Nullable ModuleAnswer lastAnswer;

    // Set by initVm before INITIALIZED is published.
    private @Nullable TdConfig config;
    private @Nullable MirrorEpt mirror;
    private FaultPath faults;
    private @Nullable LargeLeaves large;
    private TdPages pages = TdPages.NONE;

    /**
     * @param ledger shared by all VMs of the host
     * @param owner number of this VM in the ledger, above 0
     * @param maxVcpus KVM_CAP_MAX_VCPUS
     */
    public KvmTdx(TdxHost host, PairLedger ledger, int owner, int maxVcpus) {
        this.host = host;
        this.ledger = ledger;
        this.owner = owner;
        this.maxVcpus = maxVcpus;
        this.mmuLock = new SlotRwLock(LockRank.MMU, maxVcpus);
        this.stats = new KvmStats(maxVcpus);
        this.external =
                switch (host.policy().install()) {
                    case AT_FAULT -> new AtFaultOps(this, host);
                    case AT_TOPUP ->
                            new AtTopupOps(this, host, new PooledLeaf(this, host), maxVcpus);
                    case AT_LOOKUP ->
                            new AtTopupOps(
                                    this, host, new LookedUpLeaf(this, host, maxVcpus), maxVcpus);
                };
        this.faults = new FaultPath(this, external, LeafLevels.SMALL);
        this.zaps = new ZapPath(this, host);
    }

    // ------------------------------------------------------------------ steps

    /** Adds guest memory, with private and shared backing; all of it starts shared. */
    public int addMemslot(@Gpa long gpa, long size) {
        if (!Addresses.isAligned(gpa | size, Addresses.PAGE_SIZE) || size <= 0 || gpa < 0) {
            return Errno.EINVAL;
        }
        slotsLock.lock();
        try {
            return slots.add(
                    new Memslot(
                            host.pages(),
                            stats,
                            Addresses.gfn(gpa),
                            size >>> Addresses.PAGE_SHIFT,
                            Addresses.pfn(host.machine().profile().memoryEnd())));
        } finally {
            slotsLock.unlock();
        }
    }

    /**
     * KVM_TDX_INIT_VM: builds TDR and TDCS.
     *
     * @return OK; EINVAL, EBUSY for bad order or arguments; ENOSPC without a KeyID; ENOMEM; EAGAIN,
     *     EIO as section 4.6 of the Linux sheet says. On failure the VM is as before
     */
    public int initVm(TdConfig wanted) {
        kvmLock.lock();
        try {
            if (state() != State.UNINITIALIZED) {
                return Errno.EINVAL;
            }
            if (!vcpus.isEmpty()) {
                return Errno.EBUSY;
            }
            if (!isSupported(wanted)) {
                return Errno.EINVAL;
            }
            TdBuild build = new TdBuild(this, host);
            int result = build.run(wanted, maxVcpus);
            if (result == Errno.OK) {
                config = wanted;
                mirror = new MirrorEpt(wanted.levels());
                pages = build.pages();
                setState(State.INITIALIZED);
            }
            return result;
        } finally {
            kvmLock.unlock();
        }
    }

    /**
     * Allows private leaves of 2M; a capability of no merged kernel, so it is off until asked for.
     *
     * @return OK; EINVAL once the TD is initialised
     */
    public int enableLargePages() {
        kvmLock.lock();
        try {
            if (state() != State.UNINITIALIZED || !vcpus.isEmpty()) {
                return Errno.EINVAL;
            }
            LargeLeaves leaves = new LargeLeaves(this, host);
            large = leaves;
            faults = new FaultPath(this, external, leaves);
            return Errno.OK;
        } finally {
            kvmLock.unlock();
        }
    }

    /**
     * Merges the private 4K leaves of a 2 MiB range into one (TDH.MEM.PAGE.PROMOTE), as a collapse
     * of guest_memfd's pages would ask for.
     *
     * @return OK; EINVAL without large pages, for bad order or arguments, or where the pages are
     *     not 512 contiguous ones; EAGAIN where the guest has accepted only some of them; EIO
     */
    public int collapse(@Gpa long gpa) {
        LargeLeaves leaves = large;
        if (leaves == null || !isRunnable() || !Addresses.isAligned(gpa, Addresses.RANGE_SIZE)) {
            return Errno.EINVAL;
        }
        slotsLock.lock();
        try {
            HostCpu cpu = claimAny();
            try {
                mmuLock.writeLock();
                try {
                    return leaves.merge(cpu, Addresses.gfn(gpa));
                } finally {
                    mmuLock.writeUnlock();
                }
            } finally {
                release(cpu);
            }
        } finally {
            slotsLock.unlock();
        }
    }

    /** KVM_CREATE_VCPU; null where there are as many as allowed. */
    public @Nullable KvmVcpu createVcpu() {
        kvmLock.lock();
        try {
            if (vcpus.size() >= maxVcpus || state() == State.DESTROYED) {
                return null;
            }
            KvmVcpu vcpu = new KvmVcpu(this, host, vcpus.size());
            vcpus.add(vcpu);
            running = vcpus.toArray(KvmVcpu[]::new);
            return vcpu;
        } finally {
            kvmLock.unlock();
        }
    }

    /** KVM_TDX_FINALIZE_VM: MRTD is final and vCPUs may run. EBUSY may be tried again. */
    public int finalizeVm() {
        kvmLock.lock();
        try {
            if (state() != State.INITIALIZED) {
                return Errno.EINVAL;
            }
            HostCpu cpu = claimAny();
            try {
                long status = host.tdh().mng().mrFinalize(cpu, tdr());
                if (status != Status.SUCCESS) {
                    return refused(Leaf.MR_FINALIZE, status);
                }
            } finally {
                release(cpu);
            }
            // Release: a fault that sees RUNNABLE also sees everything added before.
            setState(State.RUNNABLE);
            return Errno.OK;
        } finally {
            kvmLock.unlock();
        }
    }

    /**
     * KVM_SET_MEMORY_ATTRIBUTES. Making pages shared takes their private mappings away, making them
     * private their shared ones; what backs them stays until it is punched.
     */
    public int setMemoryAttributes(@Gpa long gpa, long size, boolean isPrivate) {
        if (!Addresses.isAligned(gpa | size, Addresses.PAGE_SIZE) || size <= 0 || gpa < 0) {
            return Errno.EINVAL;
        }
        long from = Addresses.gfn(gpa);
        long to = from + (size >>> Addresses.PAGE_SHIFT);
        slotsLock.lock();
        try {
            if (!slots.cover(from, to)) {
                return Errno.EINVAL;
            }
            Change change = (slot, first, last) -> setAttributes(slot, first, last, isPrivate);
            return eachSlot(from, to, !isPrivate, change);
        } finally {
            slotsLock.unlock();
        }
    }

    /** Gives back what backs a range, private or shared, after taking its mappings away. */
    public int punch(@Gpa long gpa, long size, boolean isPrivate) {
        long from = Addresses.gfn(gpa);
        long to = from + (size >>> Addresses.PAGE_SHIFT);
        slotsLock.lock();
        try {
            return eachSlot(
                    from,
                    to,
                    isPrivate,
                    (slot, first, last) ->
                            (isPrivate ? slot.gmem() : slot.shared())
                                    .punch(slot.index(first), slot.index(last)));
        } finally {
            slotsLock.unlock();
        }
    }

    /** Tears everything down in the order of section 4.8; vCPUs must have left KVM_RUN. */
    public Teardown.Report destroy() {
        kvmLock.lock();
        try {
            if (state() == State.DESTROYED) {
                return Teardown.Report.CLEAN;
            }
            Teardown.Report report = new Teardown(this, host).run();
            setState(State.DESTROYED);
            return report;
        } finally {
            kvmLock.unlock();
        }
    }

    // ------------------------------------------------------------------ questions

    /** Counters. */
    public KvmStats stats() {
        return stats;
    }

    /** The EPT for shared addresses. */
    public SharedEpt sharedEpt() {
        return sharedMmu;
    }

    /** Number of this VM in the ledger. */
    public int owner() {
        return owner;
    }

    /** The module's answer behind the last failure, if one was. */
    public @Nullable ModuleAnswer lastAnswer() {
        return lastAnswer;
    }

    /** Whether the VM is dead: bugged, or ended by its guest's own doing. */
    public boolean isDead() {
        return Cells.acquire(words, DEAD) != 0;
    }

    /** KeyID, or 0 while there is none. */
    public int hkid() {
        return pages.hkid();
    }

    /** Control pages the TD and its vCPUs hold. */
    public long controlPages() {
        long count = pages.count();
        for (KvmVcpu vcpu : running) {
            count += vcpu.controlPages();
        }
        return count;
    }

    /** Pages that wait in the vCPUs' pools. */
    public long poolPages() {
        long count = 0;
        for (KvmVcpu vcpu : running) {
            count += vcpu.poolPages();
        }
        LargeLeaves leaves = large;
        return leaves == null ? count : count + leaves.pool().held();
    }

    /** Secure EPT pages that wait with their backing in the vCPUs' caches. */
    public long readyTables() {
        long count = 0;
        for (KvmVcpu vcpu : running) {
            count += external.readyTables(vcpu);
        }
        return count;
    }

    /** Times that an empty pool had to be helped out by an atomic allocation. */
    public long poolFallbacks() {
        long count = 0;
        for (KvmVcpu vcpu : running) {
            count += vcpu.poolFallbacks();
        }
        return count;
    }

    /** Most pages that were ever kept ready to split 2M leaves. */
    public int splitPoolHighWater() {
        LargeLeaves leaves = large;
        return leaves == null ? 0 : leaves.pool().highWater();
    }

    /** How long faults waited for mmu_lock. */
    public WaitTimes.Snapshot mmuReadWaits() {
        return mmuLock.readWaits();
    }

    /** How long zaps, splits and invalidations waited for mmu_lock. */
    public WaitTimes.Snapshot mmuWriteWaits() {
        return mmuLock.writeWaits();
    }

    /** Pages allocated for private use, mapped or not. */
    public long gmemPages() {
        return stats.get(Counter.GMEM_PAGES);
    }

    /** Pages allocated for shared use. */
    public long sharedPages() {
        return stats.get(Counter.SHARED_PAGES);
    }

    /** Reads consecutive fields of the TD by TDH.MNG.RD; empty where the module refuses. */
    public long[] readFields(long field, int count) {
        if (state() == State.UNINITIALIZED || state() == State.DESTROYED) {
            return new long[0];
        }
        long[] values = new long[count];
        HostCpu cpu = claimAny();
        try {
            for (int i = 0; i < count; i++) {
                long status = host.tdh().mng().rd(cpu, tdr(), field + i);
                if (status != Status.SUCCESS) {
                    lastAnswer = new ModuleAnswer(Leaf.MNG_RD, status);
                    return new long[0];
                }
                values[i] = cpu.regs().r8();
            }
            return values;
        } finally {
            release(cpu);
        }
    }

    // ------------------------------------------------------------------ inside KVM

    /** On the fault path, so without a State object. */
    boolean isRunnable() {
        return Cells.acquire(words, STATE) == State.RUNNABLE.ordinal();
    }

    State state() {
        return STATES[Cells.acquire(words, STATE)];
    }

    private void setState(State state) {
        Cells.release(words, STATE, state.ordinal());
    }

    TdxHost host() {
        return host;
    }

    TdConfig config() {
        TdConfig known = config;
        if (known == null) {
            throw new AssertionError("the TD is not initialised");
        }
        return known;
    }

    MirrorEpt mirror() {
        MirrorEpt known = mirror;
        if (known == null) {
            throw new AssertionError("the TD is not initialised");
        }
        return known;
    }

    TdPages pages() {
        return pages;
    }

    void forgetPages(TdPages left) {
        pages = left;
    }

    @Hpa
    long tdr() {
        return pages.tdr();
    }

    Memslots slots() {
        return slots;
    }

    SlotRwLock mmuLock() {
        return mmuLock;
    }

    Invalidations invalidations() {
        return invalidations;
    }

    FaultPath faults() {
        return faults;
    }

    ExternalSptOps external() {
        return external;
    }

    /** The VM is torn down. */
    void drainSplitPool() {
        LargeLeaves leaves = large;
        if (leaves != null) {
            leaves.pool().drain();
        }
    }

    KvmVcpu[] vcpus() {
        return running;
    }

    Lock slotsLock() {
        return slotsLock;
    }

    HostCpu claimAny() {
        return begin(host.cpus().claimAny());
    }

    HostCpu claim(int index) {
        return begin(host.cpus().claim(index));
    }

    HostCpu claimOnPackage(int packageIndex) {
        return begin(host.cpus().claimOnPackage(packageIndex));
    }

    void release(HostCpu cpu) {
        ledger.worksFor(cpu, PairLedger.NOBODY, PageUse.HOST);
        host.cpus().release(cpu);
    }

    private HostCpu begin(HostCpu cpu) {
        worksOn(cpu, PageUse.CONTROL);
        return cpu;
    }

    /** Says on what kind of page a claimed CPU works, for the books. */
    void worksOn(HostCpu cpu, PageUse cause) {
        ledger.worksFor(cpu, owner, cause);
    }

    /** KVM_BUG_ON: the module answered what cannot be; the VM must not run any more. */
    void bug(Leaf leaf, long status) {
        lastAnswer = new ModuleAnswer(leaf, status);
        host.log().line("kvm: TD " + owner + " is bugged: " + lastAnswer);
        die();
    }

    /** From now on every step but the teardown answers EIO, and no vCPU enters the guest. */
    public void die() {
        Cells.release(words, DEAD, 1);
    }

    /** Notes a refusal; EBUSY for BUSY, otherwise the VM is bugged and it is EIO. */
    int refused(Leaf leaf, long status) {
        if (StatusCode.OPERAND_BUSY.matches(status)) {
            lastAnswer = new ModuleAnswer(leaf, status);
            return Errno.EBUSY;
        }
        bug(leaf, status);
        return Errno.EIO;
    }

    /** Notes a refusal that does not hurt the VM. */
    void note(Leaf leaf, long status) {
        lastAnswer = new ModuleAnswer(leaf, status);
    }

    /** "Wait for S-EPT zap": vCPUs do not enter the guest while this holds. */
    void holdEntries(boolean hold) {
        Cells.volatileWrite(words, HOLD, hold ? 1 : 0);
    }

    boolean entriesHeld() {
        return Cells.volatileRead(words, HOLD) != 0;
    }

    /** Gets every vCPU out of the guest once; returns when each has been outside. */
    void kickAll() {
        for (KvmVcpu vcpu : running) {
            if (vcpu.kick()) {
                stats.count(0, Counter.KICKS);
            }
        }
        for (KvmVcpu vcpu : running) {
            vcpu.awaitOutside();
        }
    }

    // ------------------------------------------------------------------ ranges

    private interface Change {
        void apply(Memslot slot, @Gfn long from, @Gfn long to);
    }

    private void setAttributes(Memslot slot, @Gfn long from, @Gfn long to, boolean isPrivate) {
        long changed = slot.attributes().set(slot.index(from), slot.index(to), isPrivate);
        stats.add(0, isPrivate ? Counter.TO_PRIVATE : Counter.TO_SHARED, changed);
    }

    /** Takes mappings of one kind away and applies a change, inside an MMU invalidation. */
    private int eachSlot(@Gfn long from, @Gfn long to, boolean zapPrivate, Change change) {
        LargeLeaves splitting = zapPrivate ? large : null;
        int ranges = slots.all().length;
        int result = splitting == null ? Errno.OK : splitting.reserve(ranges);
        if (result != Errno.OK) {
            return result;
        }
        try {
            return eachSlotReserved(from, to, zapPrivate, change);
        } finally {
            if (splitting != null) {
                splitting.release(ranges);
            }
        }
    }

    private int eachSlotReserved(@Gfn long from, @Gfn long to, boolean zapPrivate, Change change) {
        int result = Errno.OK;
        HostCpu cpu = claimAny();
        try {
            mmuLock.writeLock();
            try {
                invalidations.begin();
                for (Memslot slot : slots.all()) {
                    long first = Math.max(from, slot.base());
                    long last = Math.min(to, slot.end());
                    if (first < last) {
                        int one = zap(cpu, slot, first, last, zapPrivate);
                        result = one == Errno.OK ? result : one;
                    }
                }
            } finally {
                mmuLock.writeUnlock();
            }
            for (Memslot slot : slots.all()) {
                long first = Math.max(from, slot.base());
                long last = Math.min(to, slot.end());
                if (first < last) {
                    change.apply(slot, first, last);
                }
            }
            mmuLock.writeLock();
            try {
                invalidations.end();
            } finally {
                mmuLock.writeUnlock();
            }
        } finally {
            release(cpu);
        }
        return result;
    }

    private int zap(HostCpu cpu, Memslot slot, @Gfn long from, @Gfn long to, boolean zapPrivate) {
        if (zapPrivate) {
            return mirror == null ? Errno.OK : zapPrivate(cpu, slot, from, to);
        }
        boolean any = false;
        for (long gfn = from; gfn < to; gfn++) {
            long index = slot.index(gfn);
            if (slot.sharedMappings().isUntouched(index)) {
                gfn += Addresses.PAGES_PER_RANGE - 1 - (index & (Addresses.PAGES_PER_RANGE - 1));
                continue;
            }
            @Pfn long pfn = slot.sharedMappings().take(index);
            any |= pfn != PageTable512.NONE;
        }
        if (any) {
            kickAll(); // the TLB flush: no vCPU uses a translation from before
        }
        return Errno.OK;
    }

    private int zapPrivate(HostCpu cpu, Memslot slot, @Gfn long from, @Gfn long to) {
        LargeLeaves leaves = large;
        int result = leaves == null ? Errno.OK : leaves.clear(cpu, slot, from, to);
        return result == Errno.OK ? zaps.zap(cpu, slot, from, to) : result;
    }

    private boolean isSupported(TdConfig wanted) {
        var info = host.info();
        return (wanted.attributes() & ~info.attributesFixed0()) == 0
                && (wanted.attributes() & info.attributesFixed1()) == info.attributesFixed1()
                && (wanted.xfam() & ~info.xfamFixed0()) == 0
                && (wanted.xfam() & info.xfamFixed1()) == info.xfamFixed1()
                && (wanted.gpaWidth() == 48 || wanted.gpaWidth() == 52);
    }
}
