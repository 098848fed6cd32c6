// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.host.TdxHost;
import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.kvm.KvmStats.Counter;
import dev.seamlab.kvm.VmLife.Stage;
import dev.seamlab.machine.Gpa;
import dev.seamlab.machine.Hpa;
import dev.seamlab.machine.Pfn;
import dev.seamlab.machine.SharedEpt;
import dev.seamlab.machine.sched.Lock;
import dev.seamlab.machine.sched.LockRank;
import dev.seamlab.machine.sched.SlotRwLock;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.StatusCode;
import java.util.function.Consumer;
import java.util.function.LongConsumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A TDX VM. Steps in their order: memslots, {@link #initVm}, {@link #createVcpu} and {@link
 * KvmVcpu#init} each, {@link #setMemoryAttributes}, {@link KvmVcpu#initMemRegion}, {@link
 * #finalizeVm}, {@link KvmVcpu#run}, {@link #terminate} or not, {@link #destroy}. A step out of
 * order is refused as the ioctls do (facts: Linux sheet section 4.9; {@link TdxStep} is the table).
 * {@link #memoryEncryptOp} takes the ioctls as user space sends them; the other methods put a
 * well-formed one together.
 *
 * <p>What it is made of: {@link VmLife} says where it stands, {@link VcpuTable} holds its vCPUs,
 * {@link VmMemory} its slots and attributes, {@link MirrorEpt} what is mapped, {@link FaultPath}
 * and {@link ZapPath} change that, {@link Teardown} ends it, and {@link VmBooks} counts.
 */
public final class KvmTdx {
    private final TdxHost host;
    private final StateGuard guard;
    private final PairLedger ledger;
    private final int owner;
    private final VmLife life = new VmLife();
    private final VcpuTable vcpus;
    private final VmBooks books;
    private final Lock kvmLock = new Lock(LockRank.KVM);
    private final Lock slotsLock = new Lock(LockRank.SLOTS);
    private final SlotsGuard slotsGuard = new SlotsGuard(this);
    private final SlotRwLock mmuLock;
    private final Memslots slots = new Memslots();
    private final VmMemory memory;
    private final SharedMmu sharedMmu = new SharedMmu(slots);
    private final Invalidations invalidations = new Invalidations();
    private final KvmStats stats;
    private final ExternalSptOps external;
    private final ZapPath zaps;
    private final GuestMap guestMap;
    private volatile LongConsumer leakListener = pfn -> {};
    private @Nullable Teardown teardown; // guarded by KVM
    private volatile @Nullable ModuleAnswer lastAnswer;

    // R-50 and what follows from it: vCPUs leave a CPU that goes offline.
    private final Consumer<HostCpu> flushOn;

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
        this(host, ledger, owner, maxVcpus, VmStateGuard::with);
    }

    /** A VM whose steps lock something else. */
    KvmTdx(TdxHost host, PairLedger ledger, int owner, int maxVcpus, StateGuard guard) {
        this.host = host;
        this.guard = guard;
        this.ledger = ledger;
        this.owner = owner;
        this.vcpus = new VcpuTable(this, host, maxVcpus);
        this.books = new VmBooks(this);
        this.flushOn = vcpus::leave;
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
        this.guestMap = new GuestMap(this, host);
        this.memory = new VmMemory(this, BackingSource.of(host, stats), slots);
        host.addOfflineListener(flushOn);
    }

    // ------------------------------------------------------------------ steps

    /** KVM_MEMORY_ENCRYPT_OP on the VM; null is a bad pointer. */
    public int memoryEncryptOp(@Nullable TdxCmd cmd) {
        return TdxIoctl.vm(this, cmd);
    }

    /**
     * KVM_CAP_EXIT_HYPERCALL with the bit of MAP_GPA_RANGE: without it no guest can convert memory.
     * On from the start, as VMMs for TDs set it.
     */
    public void exitOnMapGpa(boolean enabled) {
        life.exitOnMapGpa(enabled);
    }

    /** Adds guest memory, with private and shared backing; all of it starts shared. */
    public int addMemslot(@Gpa long gpa, long size) {
        return memory.addMemslot(gpa, size);
    }

    /**
     * KVM_SET_USER_MEMORY_REGION2: creates, moves or deletes a slot.
     *
     * @return OK; EINVAL for bad arguments and for any change of a slot with private memory but
     *     deleting it; EEXIST where it would overlap; EIO on a dead VM or where a page was leaked
     */
    public int setUserMemoryRegion(UserMemoryRegion region) {
        return isDead() ? Errno.EIO : underSlots(() -> memory.set(region));
    }

    /** KVM_CREATE_GUEST_MEMFD; null for arguments that are EINVAL. */
    public @Nullable GuestMemfd createGuestMemfd(long size) {
        return memory.createMemfd(size, 0);
    }

    /**
     * Allows private leaves of 2M; a capability of no merged kernel, so it is off until asked for.
     *
     * @return OK; EINVAL once the TD is initialised
     */
    public int enableLargePages() {
        kvmLock.lock();
        try {
            if (life.stage() != Stage.UNINITIALIZED) {
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
     * KVM_ENABLE_CAP with KVM_CAP_MAX_VCPUS: fewer vCPUs than the host offers.
     *
     * @return OK; EINVAL for more than that, for none, or once there are vCPUs; EIO on a dead VM
     */
    public int limitVcpus(int most) {
        kvmLock.lock();
        try {
            if (isDead()) {
                return Errno.EIO;
            }
            return vcpus.limit(most);
        } finally {
            kvmLock.unlock();
        }
    }

    /** Closes a guest_memfd that no slot shows any more, and gives its pages back. */
    public void closeGuestMemfd(GuestMemfd memfd) {
        memory.close(memfd);
    }

    /**
     * KVM_TDX_INIT_VM: builds TDR and TDCS.
     *
     * @return OK; EINVAL, EBUSY for bad order or arguments; ENOSPC without a KeyID; ENOMEM; EAGAIN,
     *     EIO as section 4.6 of the Linux sheet says. On failure the VM is as before; it is dead
     *     after EIO, and wherever its KeyID was not to be had back
     */
    public int initVm(TdConfig wanted) {
        return memoryEncryptOp(TdxCmd.of(TdxStep.INIT_VM, InitVm.of(wanted)));
    }

    /**
     * KVM_CREATE_VCPU; null where it is refused: as many as allowed (EINVAL), or the TD not just
     * initialised (EIO).
     */
    public @Nullable KvmVcpu createVcpu() {
        return vcpus.begin() == Errno.OK ? vcpus.end() : null;
    }

    /** KVM_TDX_FINALIZE_VM: MRTD is final and vCPUs may run. EBUSY may be tried again. */
    public int finalizeVm() {
        return memoryEncryptOp(TdxCmd.of(TdxStep.FINALIZE_VM, null));
    }

    /**
     * KVM_TDX_TERMINATE_VM: the VM is dead from here on, and its KeyID is released, so that memory
     * is reclaimed instead of removed page by page.
     *
     * @return OK, also where there is no KeyID any more; EBUSY while a vCPU is inside KVM_RUN; EIO
     *     on a bugged VM
     */
    public int terminate() {
        return memoryEncryptOp(TdxCmd.of(TdxStep.TERMINATE_VM, null));
    }

    /**
     * KVM_SET_MEMORY_ATTRIBUTES. Making pages shared takes their private mappings away, making them
     * private their shared ones; what backs them stays until it is punched. Slots need not be
     * there.
     *
     * @return OK; EINVAL; EIO on a dead VM or where a page had to be leaked
     */
    public int setMemoryAttributes(@Gpa long gpa, long size, boolean isPrivate) {
        return setMemoryAttributes(gpa, size, isPrivate ? VmMemory.ATTRIBUTE_PRIVATE : 0, 0);
    }

    /** KVM_SET_MEMORY_ATTRIBUTES as user space sends it: attribute bit 3 is "private". */
    public int setMemoryAttributes(@Gpa long gpa, long size, long attributes, long flags) {
        return isDead() ? Errno.EIO : memory.setAttributes(gpa, size, attributes, flags).errno();
    }

    /**
     * As {@link #setMemoryAttributes(long, long, boolean)}; counts the private mappings removed.
     */
    public MemoryChange convert(@Gpa long gpa, long size, boolean isPrivate) {
        return isDead()
                ? MemoryChange.refused(Errno.EIO)
                : memory.setAttributes(gpa, size, isPrivate ? VmMemory.ATTRIBUTE_PRIVATE : 0, 0);
    }

    /** Gives back what backs a range, private or shared, after taking its mappings away. */
    public int punch(@Gpa long gpa, long size, boolean isPrivate) {
        return memory.punch(gpa, size, isPrivate).errno();
    }

    /** As {@link #punch} for private pages; counts those given back. */
    public MemoryChange punchPrivate(@Gpa long gpa, long size) {
        return memory.punch(gpa, size, true);
    }

    /**
     * Merges the private 4K leaves of a 2 MiB range into one (TDH.MEM.PAGE.PROMOTE), as a collapse
     * of guest_memfd's pages would ask for.
     *
     * @return OK; EINVAL without large pages, for bad order or arguments, or where the pages are
     *     not 512 contiguous ones of one slot; EAGAIN where the guest has accepted only some of
     *     them; EIO also on a dead VM
     */
    public int collapse(@Gpa long gpa) {
        return isDead() ? Errno.EIO : memory.collapse(gpa);
    }

    /**
     * Tears everything down in the order of section 4.8; vCPUs must have left KVM_RUN. Called
     * again, it reports the same.
     */
    public Teardown.Report destroy() {
        return destroy(Teardown.Watch.NOBODY);
    }

    /**
     * Tears everything down, piece by piece.
     *
     * @param watch is told of progress and may stop it after any piece; called again, it goes on
     *     there
     */
    public Teardown.Report destroy(Teardown.Watch watch) {
        kvmLock.lock();
        try {
            if (life.stage() == Stage.DESTROYED) {
                return teardown().report();
            }
            Teardown.Report report = inWorld(() -> teardown().run(watch));
            if (report.isFinished()) {
                life.moveTo(Stage.DESTROYED);
                host.removeOfflineListener(flushOn);
            }
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

    /** What it holds, and what it waited for. */
    public VmBooks books() {
        return books;
    }

    /** Whether KVM_TDX_FINALIZE_VM is done and the VM is not being torn down. */
    public boolean isFinalised() {
        return isRunnable();
    }

    /** GPA bit that marks shared addresses, once the TD is initialised. */
    public int sharedBit() {
        return config().sharedBit();
    }

    /** Whether the VM is dead: bugged, or ended by its guest's own doing. */
    public boolean isDead() {
        return life.isDead();
    }

    /** Whether KVM gave the VM up (KVM_BUG_ON): dead, and nobody may touch what it holds. */
    public boolean isBugged() {
        return life.isBugged();
    }

    /** KeyID, or 0 while there is none. */
    public int hkid() {
        return pages.hkid();
    }

    /** What stands where in guest memory, for those who look at it from outside. */
    public GuestMap guestMap() {
        return guestMap;
    }

    /** Address of the TDR, 0 while there is none. */
    public @Hpa long tdrAddress() {
        return pages.tdr();
    }

    /** From now on tells somebody of every page that is given up; called under locks. */
    public void onLeak(LongConsumer told) {
        leakListener = told;
    }

    /** Reads consecutive fields of the TD by TDH.MNG.RD; empty where the module refuses. */
    public long[] readFields(long field, int count) {
        if (pages.tdrPfn() == 0) {
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

    /** Where it stands. */
    VmLife life() {
        return life;
    }

    /** Whether pages are mapped by AUG from here on, and vCPUs may run. */
    boolean isRunnable() {
        return life.isRunnable();
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

    boolean hasMirror() {
        return mirror != null;
    }

    TdPages pages() {
        return pages;
    }

    /** What the TD as a whole holds from now on. */
    void holds(TdPages held) {
        pages = held;
    }

    /** Whether a KeyID is assigned: until then no TD, afterwards reclaim instead of removal. */
    boolean hasKeyId() {
        return pages.hkid() != 0;
    }

    /** Whether the module answers questions about the TD's memory. */
    boolean isAccessible() {
        return hasKeyId() && !life.isKeyGivenUp();
    }

    /** INIT_VM is done. */
    void initialised(TdConfig as, TdPages built) {
        config = as;
        mirror = new MirrorEpt(as.levels());
        pages = built;
        life.moveTo(Stage.INITIALIZED);
    }

    Lock kvmLock() {
        return kvmLock;
    }

    VmMemory memory() {
        return memory;
    }

    ZapPath zaps() {
        return zaps;
    }

    /** The end of this VM, as far as it has come. KVM is held. */
    Teardown teardown() {
        assert LockRank.Held.isHeld(LockRank.KVM);
        Teardown known = teardown;
        if (known == null) {
            known = new Teardown(this, host);
            teardown = known;
        }
        return known;
    }

    /** Does a step of an ioctl with its locks held, see {@link StateGuard}. */
    int guarded(@Nullable KvmVcpu vcpu, StateGuard.Step step) {
        return guard.with(this, vcpu, step);
    }

    /** Works where the world may not be stopped. */
    int working(StateGuard.Step step) {
        return inWorld(step::run);
    }

    /** Holds SLOTS until it is closed, where the world may not be stopped. */
    SlotsGuard holdSlots() {
        return slotsGuard.hold();
    }

    /** Works under SLOTS, where the world may not be stopped. */
    <T> T underSlots(Supplier<T> work) {
        try (SlotsGuard _ = holdSlots()) {
            return work.get();
        }
    }

    private <T> T inWorld(Supplier<T> work) {
        host.stopMachine().enter();
        try {
            return work.get();
        } finally {
            host.stopMachine().leave();
        }
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

    /** 2M leaves; null where the VM was not allowed any. */
    @Nullable LargeLeaves large() {
        return large;
    }

    /** The vCPUs that are online. */
    KvmVcpu[] vcpus() {
        return vcpus.online();
    }

    VcpuTable vcpuTable() {
        return vcpus;
    }

    Lock slotsLock() {
        return slotsLock;
    }

    HostCpu claimAny() {
        return begin(host.cpus().claimAny());
    }

    @Nullable HostCpu claimIfOnline(int index) {
        HostCpu cpu = host.cpus().claimIfOnline(index);
        return cpu == null ? null : begin(cpu);
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
        life.bug();
    }

    /**
     * kvm_vm_dead: from now on every step but TERMINATE_VM answers EIO, and no vCPU enters the
     * guest.
     */
    public void die() {
        life.die();
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

    /** A page is given up, because the module may still own it. */
    void leaked(@Pfn long page) {
        stats.count(0, Counter.LEAKED_PAGES);
        leakListener.accept(page);
    }

    /** Notes a refusal that does not hurt the VM. */
    void note(Leaf leaf, long status) {
        lastAnswer = new ModuleAnswer(leaf, status);
    }
}
